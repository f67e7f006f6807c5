/** What the init of the probe prints. */
export const probeMessage = 'nfio: a guest runs';

/** Where the program is in memory, and how long the headers before its code are (elf(5)). */
const base = 0x400000;
const headerBytes = 64 + 56;

/**
 * A complete init: a static ELF program for x86-64 that prints a line and switches the machine off. It is assembled here so that a probe
 * needs no files of anybody's.
 */
export const probeInit: Buffer = elf(code(`${probeMessage}\n`));

function code(message: string): Buffer {
  const text = Buffer.from(message);
  const instructions = [
    [0xb8, 1, 0, 0, 0], // mov eax, 1 (write)
    [0xbf, 1, 0, 0, 0], // mov edi, 1 (stdout)
    [0x48, 0x8d, 0x35, ...dword(5 + 2 + 5 + 5 + 5 + 5 + 2 + 2)], // lea rsi, [rip + message]
    [0xba, ...dword(text.length)], // mov edx, length
    [0x0f, 0x05], // syscall
    [0xb8, ...dword(169)], // mov eax, 169 (reboot)
    [0xbf, ...dword(0xfee1dead)], // mov edi, LINUX_REBOOT_MAGIC1
    [0xbe, ...dword(0x28121969)], // mov esi, LINUX_REBOOT_MAGIC2
    [0xba, ...dword(0x4321fedc)], // mov edx, LINUX_REBOOT_CMD_POWER_OFF
    [0x0f, 0x05], // syscall
    [0xeb, 0xfe], // jmp to itself
  ];
  return Buffer.concat([Buffer.from(instructions.flat()), text]);
}

function elf(program: Buffer): Buffer {
  const size = headerBytes + program.length;
  const header = Buffer.alloc(headerBytes);
  header.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]); // \x7fELF, 64 bits, little endian, version 1
  header.writeUInt16LE(2, 16); // executable
  header.writeUInt16LE(62, 18); // x86-64
  header.writeUInt32LE(1, 20);
  header.writeBigUInt64LE(BigInt(base + headerBytes), 24); // entry
  header.writeBigUInt64LE(64n, 32); // program headers
  header.writeUInt16LE(64, 52);
  header.writeUInt16LE(56, 54);
  header.writeUInt16LE(1, 56);
  header.writeUInt32LE(1, 64); // PT_LOAD
  header.writeUInt32LE(5, 68); // readable, executable
  header.writeBigUInt64LE(BigInt(base), 80);
  header.writeBigUInt64LE(BigInt(base), 88);
  header.writeBigUInt64LE(BigInt(size), 96);
  header.writeBigUInt64LE(BigInt(size), 104);
  header.writeBigUInt64LE(0x1000n, 112);
  return Buffer.concat([header, program]);
}

function dword(value: number): number[] {
  return [value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, (value >>> 24) & 0xff];
}
