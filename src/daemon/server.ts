// A server process. Its threads start first: each loads what it needs while this one, the main thread, loads the rest.
import type { ServerStart } from './messages.ts';
import { forgetServerEnvironment } from './server-memory.ts';
import { startThreads } from './threads.ts';

const start = JSON.parse(process.argv[2] ?? '') as ServerStart;
forgetServerEnvironment();
const threads = startThreads(start);
const { serve } = await import('./serve.ts');
await serve(start, threads);
