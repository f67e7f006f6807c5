import { libvirtContract } from '../support/libvirt-contract.ts';
import { describeHypervisor } from './hypervisor.ts';

describeHypervisor(libvirtContract(['outside']));
