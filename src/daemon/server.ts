// A server process. It loads all that it needs, and then stands by until it is told to serve: after the end of the server before it that takes no time any more. Its threads
// start first: each loads its part while this one, the main thread, loads the rest.
import type { ServerStart } from './messages.ts';
import { forgetServerEnvironment } from './server-memory.ts';
import { standBy } from './stand-by.ts';
import { goEarly, goLast, ignoreHangup } from './stay-alive.ts';
import { startThreads } from './threads.ts';

const start = JSON.parse(process.argv[2] ?? '') as ServerStart;
forgetServerEnvironment();
ignoreHangup();
goEarly();
const ordered = standBy();
const threads = startThreads(start);
const { serve } = await import('./serve.ts');
const order = await ordered;
goLast();
await serve(start, order, threads);
