import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';
import {
  DockerDriver,
  HypervisorBase,
  HypervisorFactory,
  type HypervisorType,
  LibvirtDriver,
  NetnsDriver,
  NfioError,
} from '../../src/index.ts';

afterEach(() => HypervisorFactory.disposeHypervisorInstance());

describe('HypervisorFactory', () => {
  test('asking before one was made is an error', () => {
    assert.throws(() => HypervisorFactory.getHypervisorInstance(), { name: 'Error', message: /no hypervisor yet/ });
  });

  test('makes netns unless told otherwise, and hands it out', () => {
    new HypervisorFactory();
    const driver = HypervisorFactory.getHypervisorInstance();
    assert.ok(driver instanceof NetnsDriver && driver instanceof HypervisorBase);
    assert.equal(driver.name, 'netns');
  });

  test('the same type again is the same instance', () => {
    new HypervisorFactory('netns');
    const driver = HypervisorFactory.getHypervisorInstance();
    new HypervisorFactory('netns', { mountId: 'another1' });
    assert.equal(HypervisorFactory.getHypervisorInstance(), driver);
  });

  test('makes docker, which speaks to no engine until it is asked to', () => {
    new HypervisorFactory('docker');
    const driver = HypervisorFactory.getHypervisorInstance();
    assert.ok(driver instanceof DockerDriver && driver instanceof HypervisorBase);
    assert.equal(driver.name, 'docker');
  });

  test('makes libvirt, which connects to no daemon until it is asked to', () => {
    new HypervisorFactory('libvirt', { libvirtUri: 'qemu+unix:///system?socket=/nowhere' });
    const driver = HypervisorFactory.getHypervisorInstance();
    assert.ok(driver instanceof LibvirtDriver && driver instanceof HypervisorBase);
    assert.deepEqual(driver.hostStatus(''), { state: 'unknown', why: '' });
  });

  test('a second type is a RangeError, and the first stays', () => {
    new HypervisorFactory('netns');
    const driver = HypervisorFactory.getHypervisorInstance();
    assert.throws(() => new HypervisorFactory('docker'), { name: 'RangeError', message: /of type netns already/ });
    assert.equal(HypervisorFactory.getHypervisorInstance(), driver);
  });

  test('a type that is not there is a TypeError that names those that are, and nothing is made', () => {
    for (const type of ['xen', '', 'constructor', '__proto__']) {
      assert.throws(() => new HypervisorFactory(type as HypervisorType), {
        name: 'TypeError',
        message: /there are: netns, docker, libvirt/,
      });
      assert.throws(() => HypervisorFactory.getHypervisorInstance(), Error);
    }
  });

  test("the original prototype's spelling is taken, and an unknown second type is a TypeError too", () => {
    new HypervisorFactory('Netns');
    assert.equal(HypervisorFactory.getHypervisorInstance().name, 'netns');
    assert.throws(() => new HypervisorFactory('Docker'), { name: 'RangeError', message: /of type netns already/ });
    for (const type of ['xen', 7, null]) assert.throws(() => new HypervisorFactory(type as HypervisorType), { name: 'TypeError' });
  });

  test('a mountId that cannot be part of names is refused', () => {
    for (const mountId of ['', 'short', 'UPPER123', '../../et', 'ninechars']) {
      assert.throws(
        () => new HypervisorFactory('netns', { mountId }),
        (error) => error instanceof NfioError && error.code === 'InvalidValueError',
      );
    }
  });

  test('once let go of, another can be made; letting go of none does nothing', async () => {
    new HypervisorFactory('netns');
    const first = HypervisorFactory.getHypervisorInstance();
    await HypervisorFactory.disposeHypervisorInstance();
    await HypervisorFactory.disposeHypervisorInstance();
    assert.throws(() => HypervisorFactory.getHypervisorInstance(), Error);
    new HypervisorFactory('netns');
    assert.notEqual(HypervisorFactory.getHypervisorInstance(), first);
  });
});

test('HypervisorBase itself is no hypervisor', () => {
  const Base = HypervisorBase as unknown as new () => HypervisorBase;
  assert.throws(() => new Base(), TypeError);
});
