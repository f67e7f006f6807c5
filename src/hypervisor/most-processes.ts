/** A guest that forks without end stops here, not at the machine's limit. */
export const mostProcesses = 2048;
