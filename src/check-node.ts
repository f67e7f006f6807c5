// Imported before all others by what programs import: a Node.js that is too old says so here, not by an error of syntax further on.
import { checkNode } from './node-version.ts';

checkNode();
