import { dockerContract } from '../support/docker-contract.ts';
import { describeLifecycle } from './lifecycle.ts';

describeLifecycle(dockerContract());
