/** Request codes of the FUSE kernel protocol (enum fuse_opcode in linux/fuse.h; 52 and 53 came after 7.38). */
export const Opcode = {
  LOOKUP: 1,
  FORGET: 2,
  GETATTR: 3,
  SETATTR: 4,
  READLINK: 5,
  SYMLINK: 6,
  MKNOD: 8,
  MKDIR: 9,
  UNLINK: 10,
  RMDIR: 11,
  RENAME: 12,
  LINK: 13,
  OPEN: 14,
  READ: 15,
  WRITE: 16,
  STATFS: 17,
  RELEASE: 18,
  FSYNC: 20,
  SETXATTR: 21,
  GETXATTR: 22,
  LISTXATTR: 23,
  REMOVEXATTR: 24,
  FLUSH: 25,
  INIT: 26,
  OPENDIR: 27,
  READDIR: 28,
  RELEASEDIR: 29,
  FSYNCDIR: 30,
  GETLK: 31,
  SETLK: 32,
  SETLKW: 33,
  ACCESS: 34,
  CREATE: 35,
  INTERRUPT: 36,
  BMAP: 37,
  DESTROY: 38,
  IOCTL: 39,
  POLL: 40,
  NOTIFY_REPLY: 41,
  BATCH_FORGET: 42,
  FALLOCATE: 43,
  READDIRPLUS: 44,
  RENAME2: 45,
  LSEEK: 46,
  COPY_FILE_RANGE: 47,
  SETUPMAPPING: 48,
  REMOVEMAPPING: 49,
  SYNCFS: 50,
  TMPFILE: 51,
  STATX: 52,
  COPY_FILE_RANGE_64: 53,
} as const;

/** The name of a request code, as fuse.h spells it. */
export type OpcodeName = keyof typeof Opcode;

/** One more than the greatest request code known here. */
export const opcodeCount = 54;

const names = new Map<number, string>(Object.entries(Opcode).map(([name, value]) => [value, name]));

/** The name of a request code, for messages: `GETATTR`, or `opcode 99` for one that is not known. */
export function opcodeName(opcode: number): string {
  return names.get(opcode) ?? `opcode ${opcode}`;
}

/** True for the three requests that Linux takes no reply to: FORGET, BATCH_FORGET and INTERRUPT (and for replies to our own notifications). */
export function takesNoReply(opcode: number): boolean {
  return opcode === Opcode.FORGET || opcode === Opcode.BATCH_FORGET || opcode === Opcode.INTERRUPT || opcode === Opcode.NOTIFY_REPLY;
}

/** Codes of unsolicited messages to the kernel (enum fuse_notify_code; RESEND came with 7.40). */
export const NotifyCode = { POLL: 1, INVAL_INODE: 2, INVAL_ENTRY: 3, RETRIEVE: 5, DELETE: 6, RESEND: 7 } as const;
