import { addressBytes, parseAddress, parseCidr } from '../domain/ip.ts';
import {
  type Bridge,
  type BridgePort,
  lastMetric,
  type NetworkChange,
  networkCommands,
  type Promiscuous,
  type Route,
  type Rule,
  type Setting,
  settingWords,
} from '../domain/network-change.ts';
import type { LinkRequest, SettingRequest } from './link-request.ts';
import {
  type Attribute,
  addressMessage,
  changeLinkMessage,
  encodeMessage,
  familyNumbers,
  Link,
  LinkInfo,
  linkBody,
  neighbourMessage,
  RtnetlinkFlag,
  RtnetlinkType,
  routeMessage,
} from './rtnetlink.ts';

// linux/if_link.h: of IFLA_INFO_DATA of a bridge, and of IFLA_INFO_SLAVE_DATA of an interface on one
const BridgeData = { multicastSnooping: 23 } as const;
const BridgePortData = { learning: 8 } as const;
// linux/fib_rules.h
const RuleAttribute = { destination: 1, source: 2, inputInterface: 3, priority: 6, mark: 10, table: 15 } as const;
const toTable = 1;

/** What makes a change in a guest. */
export function changeRequests(change: NetworkChange): (LinkRequest | SettingRequest)[] {
  if (change.kind === 'setting') return change.verb === 'add' ? [{ namespace: 'sysctl', words: settingWords(change) }] : [];
  const commands = networkCommands(change);
  const mayBeDone = change.verb === 'remove' || change.kind === 'rule';
  return messages(change).map((message, index) => ({ namespace: 'guest', what: commands[index] ?? '', message, mayBeDone }));
}

function messages(change: Exclude<NetworkChange, Setting>): Buffer[] {
  switch (change.kind) {
    case 'route':
      return [routeChange(change)];
    case 'rule':
      return [ruleChange(change)];
    case 'address':
      return [addressMessage(change.verb, change.on.index, parseCidr(change.address))];
    case 'neighbour':
      return [neighbourMessage(change.verb, { ...change, device: change.on.index, address: parseAddress(change.address) })];
    case 'bridge':
      return bridgeChange(change);
    case 'bridge port':
      return bridgePortChange(change);
    case 'promiscuous':
      return [promiscuousChange(change)];
  }
}

function routeChange({ verb, family, table, to, by, via }: NetworkChange & Route): Buffer {
  return routeMessage(verb, {
    family,
    table,
    destination: to === undefined ? undefined : parseCidr(to),
    device: by?.index,
    gateway: via === undefined ? undefined : parseAddress(via),
    onLink: via !== undefined,
    metric: by === undefined ? lastMetric : undefined,
  });
}

/** struct fib_rule_hdr, which is laid out as struct rtmsg is. */
function ruleChange({ verb, family, preference, table, input, from, to, mark }: NetworkChange & Rule): Buffer {
  const source = from === undefined ? undefined : parseAddress(from);
  const destination = to === undefined ? undefined : parseCidr(to);
  const action = verb === 'add' ? toTable : 0;
  const [destinationBits, sourceBits] = [destination?.prefixLength ?? 0, source?.prefixLength ?? 0];
  const body = Buffer.from([familyNumbers[family], destinationBits, sourceBits, 0, 0, 0, 0, action, 0, 0, 0, 0]);
  const attributes: Attribute[] = [[RuleAttribute.priority, preference]];
  if (table !== undefined) attributes.push([RuleAttribute.table, table]);
  if (input !== undefined) attributes.push([RuleAttribute.inputInterface, input]);
  if (source !== undefined) attributes.push([RuleAttribute.source, addressBytes(source)]);
  if (destination !== undefined) attributes.push([RuleAttribute.destination, addressBytes(destination)]);
  if (mark !== undefined) attributes.push([RuleAttribute.mark, mark]);
  if (verb === 'remove') return encodeMessage(RtnetlinkType.deleteRule, 0, { body, attributes });
  return encodeMessage(RtnetlinkType.newRule, RtnetlinkFlag.create | RtnetlinkFlag.exclusive, { body, attributes });
}

function bridgeChange({ verb, bridge: { name, index } }: NetworkChange & Bridge): Buffer[] {
  if (verb === 'remove')
    return [encodeMessage(RtnetlinkType.deleteLink, 0, { body: linkBody({ index: 0, up: undefined }), attributes: [[Link.name, name]] })];
  const info: Attribute[] = [
    [LinkInfo.kind, 'bridge'],
    [LinkInfo.data, [[BridgeData.multicastSnooping, Buffer.from([0])]]],
  ];
  const attributes: Attribute[] = [
    [Link.name, name],
    [Link.info, info],
  ];
  return [
    encodeMessage(RtnetlinkType.newLink, RtnetlinkFlag.create | RtnetlinkFlag.exclusive, {
      body: linkBody({ index, up: undefined }),
      attributes,
    }),
    changeLinkMessage({ index, up: true }),
  ];
}

function bridgePortChange({ verb, port: { index }, bridge }: NetworkChange & BridgePort): Buffer[] {
  if (verb === 'remove') return [changeLinkMessage({ index, up: undefined }, [[Link.master, 0]])];
  const info: Attribute[] = [
    [LinkInfo.slaveKind, 'bridge'],
    [LinkInfo.slaveData, [[BridgePortData.learning, Buffer.from([0])]]],
  ];
  return [
    changeLinkMessage({ index, up: true }, [[Link.master, bridge.index]]),
    changeLinkMessage({ index, up: undefined }, [[Link.info, info]]),
  ];
}

function promiscuousChange({ verb, port: { index } }: NetworkChange & Promiscuous): Buffer {
  return changeLinkMessage({ index, up: undefined, promiscuous: verb === 'add' });
}
