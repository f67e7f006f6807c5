/** O_PATH (fcntl.h), a flag of open(2) that node:fs does not name: the descriptor stands for a place, and nothing is read or written by it. */
export const O_PATH = 0o10000000;
