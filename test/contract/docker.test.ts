import { dockerContract } from '../support/docker-contract.ts';
import { describeHypervisor } from './hypervisor.ts';

describeHypervisor(dockerContract());
