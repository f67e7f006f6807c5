// What package.json gives to a Node.js that knows no `module-sync` (before 22.10): it could not even read the rest.
import './check-node.ts';
