import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { firstModuleIndex } from '../../src/tree/file-spec.ts';
import { fileAtPath, specOf } from '../../src/tree/files.ts';
import { flagsOfHandle, HandleNumbers } from '../../src/tree/handles.ts';
import { isScratchName } from '../../src/tree/scratch-files.ts';
import type { ModuleFileView, ObjectView } from '../../src/tree/views.ts';
import { indexOf, isUserFile, rootNodeid, serialOf, specialNodeid, userNodeid } from '../../src/vfs/nodeid.ts';

/*
 * A server that takes over a connection names every file as the one before it: numbers in this list never change and are never given to another file. Add new
 * ones at free numbers.
 */
const golden: Readonly<Record<string, Readonly<Record<number, string>>>> = {
  root: {
    1: ' 755',
    2: 'nf-types 755',
    3: 'networks 755',
    4: 'hosts 755',
    5: 'events 444',
    6: 'chns 755',
    7: 'quotas 755',
  },
  type: {
    1: ' 755',
  },
  vnf: {
    1: ' 755',
    2: 'action 644',
    3: 'status 444',
    4: 'error 444',
    5: 'command 600',
    6: 'log 400',
    7: 'config 700',
    8: 'machine 755',
    9: 'machine/ip 644',
    10: 'machine/vm.image 644',
    11: 'machine/vm.vcpu 644',
    12: 'machine/vm.memory 644',
    13: 'machine/vm.ip 444',
    14: 'machine/vm.id 444',
    15: 'ports 755',
    16: 'rfs 700',
    17: 'stats 755',
    18: 'stats/rx_bytes 444',
    19: 'stats/tx_bytes 444',
    20: 'stats/pkt_drops 444',
    21: 'stats/rx_packets 444',
    22: 'stats/tx_packets 444',
    23: 'stats/cpu_usec 444',
    24: 'stats/memory_bytes 444',
    25: 'machine/domain.xml 444',
  },
  port: {
    1: ' 755',
    2: 'network 644',
    3: 'address 644',
    4: 'mac 644',
    5: 'state 644',
    6: 'mtu 644',
    7: 'rate 644',
    8: 'delay 644',
    9: 'loss 644',
    10: 'spoof 644',
    11: 'spoofed 444',
    16: 'rx_bytes 444',
    17: 'tx_bytes 444',
    18: 'rx_packets 444',
    19: 'tx_packets 444',
    20: 'pkt_drops 444',
    40: 'link 777',
  },
  network: {
    1: ' 755',
    2: 'subnet 644',
    3: 'gateway 644',
    4: 'uplink 644',
    5: 'error 444',
    6: 'ports 755',
    7: 'stats 755',
    8: 'stats/rx_bytes 444',
    9: 'stats/tx_bytes 444',
    10: 'stats/rx_packets 444',
    11: 'stats/tx_packets 444',
    12: 'stats/pkt_drops 444',
    13: 'forward 644',
    14: 'trusted 644',
  },
  chain: {
    1: ' 755',
    2: 'action 644',
    3: 'status 444',
    4: 'error 444',
    5: 'ingress 644',
    6: 'egress 644',
    7: 'match 644',
    8: 'priority 644',
    9: 'path 444',
    10: 'policy 755',
    11: 'policy/failure 644',
    12: 'stats 755',
    13: 'stats/in_packets 444',
    14: 'stats/in_bytes 444',
    15: 'stats/out_packets 444',
    16: 'stats/out_bytes 444',
    17: 'stats/drops 444',
    24: 'trace 644',
    25: 'verify 644',
    26: 'latency 644',
  },
  hop: {
    1: ' 755',
    2: 'mode 644',
    3: 'replicas 644',
    4: 'stats 755',
    5: 'stats/in_packets 444',
    6: 'stats/in_bytes 444',
    7: 'stats/out_packets 444',
    8: 'stats/out_bytes 444',
    9: 'stats/drops 444',
  },
  symlink: { 1: ' 777' },
  host: {
    1: ' 755',
    2: 'address 644',
    3: 'hypervisor 644',
    4: 'status 444',
    5: 'capacity 444',
    6: 'load 444',
    7: 'certificates 644',
    8: 'error 444',
  },
  quota: {
    1: ' 755',
    2: 'uid 444',
    3: 'error 444',
    4: 'use 444',
    5: 'vnfs 644',
    6: 'ports 644',
    7: 'hops 644',
    8: 'vcpus 644',
    9: 'memory 644',
    10: 'verbs_per_second 644',
    11: 'handles 644',
  },
};

function view(kind: ObjectView['kind'], more: object = {}): ObjectView {
  return {
    kind,
    serial: 20,
    parent: 0,
    name: 'x',
    texts: {},
    moduleFiles: [],
    deployed: false,
    hidden: [],
    ...more,
  } as unknown as ObjectView;
}

describe('the numbers of files', () => {
  for (const [kind, files] of Object.entries(golden)) {
    test(`${kind}: index, path and mode`, () => {
      const specs = specOf(view(kind as ObjectView['kind'])).byIndex;
      const found = specs.flatMap((spec, index) => (spec === undefined ? [] : [[index, `${spec.path} ${spec.mode.toString(8)}`]]));
      assert.deepEqual(Object.fromEntries(found), files);
      for (const spec of specs) if (spec !== undefined) assert.equal(specs[spec.index], spec);
    });
  }

  test('nobody changes this machine', () => {
    const fixed = specOf(view('host', { fixed: true })).byIndex.flatMap((spec) => spec ?? []);
    assert.deepEqual(
      fixed.filter(({ type, mode }) => type === 'file' && mode !== 0o444),
      [],
    );
    for (const spec of fixed) assert.equal(golden['host']?.[spec.index]?.split(' ')[0], spec.path);
  });

  test('a module’s files follow, and bring their directories', () => {
    const moduleFiles: ModuleFileView[] = [
      { path: 'banner', mode: 0o644, size: undefined },
      { path: 'stats/sessions', mode: 0o444, size: undefined },
      { path: 'own/deep', mode: 0o444, size: undefined },
    ];
    const vnf = view('vnf', { moduleFiles });
    assert.equal(fileAtPath(vnf, 'banner')?.index, firstModuleIndex);
    assert.equal(fileAtPath(vnf, 'own')?.type, 'directory');
    const top = specOf(vnf).top;
    assert.ok(top.children.has('banner') && top.children.has('own'));
    const stats = fileAtPath(vnf, 'stats');
    assert.ok(stats?.type === 'directory' && stats.children.has('sessions') && stats.children.has('rx_bytes'));
    const indices = specOf(vnf).byIndex.flatMap((spec) => spec?.index ?? []);
    assert.equal(new Set(indices).size, indices.length);
    assert.equal(specOf(view('vnf', { moduleFiles })), specOf(vnf), 'worked out once');
  });
});

describe('nodeids', () => {
  test('tell object and file, and user files from special ones', () => {
    assert.equal(specialNodeid(0, 1), rootNodeid);
    for (const [serial, index] of [
      [0, 1],
      [16, 4095],
      [2 ** 39 - 1, 7],
    ] as const) {
      const nodeid = specialNodeid(serial, index);
      assert.deepEqual([serialOf(nodeid), indexOf(nodeid), isUserFile(nodeid)], [serial, index, false]);
    }
    for (const ino of [1, 2 ** 32, 2 ** 52 - 1, 2 ** 52 + 5]) {
      const nodeid = userNodeid({ dev: 0xfe00, ino, birthtimeNs: 1n });
      assert.ok(isUserFile(nodeid) && Number.isSafeInteger(nodeid), String(ino));
    }
  });

  test('a file is told apart from one before it that had its inode number', () => {
    const births = Array.from({ length: 50 }, (_, index) => 1_796_117_608_181_000_000n + BigInt(index) * 4_000_000n);
    assert.equal(new Set(births.map((birthtimeNs) => userNodeid({ dev: 0xfe00, ino: 42, birthtimeNs }))).size, births.length);
  });

  test('files with one inode number on different file systems are told apart', () => {
    // Overlays: major 0, minors from 40 on, also beyond eight bits (makedev(3)).
    const devices = [0xfe00, 0xfe01, 0x28, 0x29, 0xff, 0x10_0000, 0x10_0028, 0x20_0028];
    assert.equal(new Set(devices.map((dev) => userNodeid({ dev, ino: 42, birthtimeNs: 1n }))).size, devices.length);
  });
});

describe('handles', () => {
  test('tell how the file was opened, and differ from one server to the next', () => {
    const [first, second] = [new HandleNumbers(0), new HandleNumbers(1)];
    for (const flags of [0, 1, 2, 0o2000, 0o2001, 0o2002]) assert.equal(flagsOfHandle(first.make(flags | 0o100)), flags);
    const handles = [first.make(0), first.make(0), second.make(0), new HandleNumbers(2 ** 17).make(2)];
    assert.equal(new Set(handles).size, 4);
    assert.ok(handles.every(Number.isSafeInteger));
  });
});

describe('temporary files', () => {
  const place = (kind: ObjectView['kind'], name: string) => ({ view: view(kind), spec: specOf(view(kind)).top, name });
  const exclusive = { flags: 0o200, mode: 0o644 };

  test('are those of programs that replace files; a mistyped name is none', () => {
    for (const name of ['.action.Ab3dEf', 'sedAb3dEf', '.swp']) assert.ok(isScratchName(place('vnf', name), exclusive), name);
    for (const name of ['acton', 'sed', 'sedition', 'README']) assert.ok(!isScratchName(place('vnf', name), exclusive), name);
    assert.ok(!isScratchName(place('vnf', '.action.Ab3dEf'), { ...exclusive, flags: 0 }), 'echo > name');
    for (const kind of ['root', 'type'] as const) assert.ok(!isScratchName(place(kind, '.x'), exclusive), kind);
  });

  test('are the empty ones that tar leaves where links will be', () => {
    const empty = { ...exclusive, mode: 0 };
    for (const kind of ['chain', 'hop'] as const) assert.ok(isScratchName(place(kind, 'fw-a'), empty), kind);
    for (const kind of ['vnf', 'network', 'type'] as const) assert.ok(!isScratchName(place(kind, 'fw-a'), empty), kind);
    assert.ok(!isScratchName(place('hop', 'fw-a'), exclusive), 'one with permissions');
  });
});
