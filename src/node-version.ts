/** The oldest Node.js that runs nf.io; engines of package.json and bin/nfio have the same. */
export const oldestNode = 24;

/** @throws Error with a sentence when this Node.js is too old. */
export function checkNode(version = process.versions.node): void {
  if (Number(version.split('.')[0]) >= oldestNode) return;
  throw new Error(
    `nfio needs Node.js ${oldestNode} or newer, and this is ${version}. Install it: npm install --global n && n ${oldestNode}`,
  );
}
