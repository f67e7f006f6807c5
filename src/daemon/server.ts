// A server process. Its threads start first: each loads what it needs while this one, the main thread, loads the rest.
import type { ServerStart } from './messages.ts';
import { startThreads } from './threads.ts';

const start = JSON.parse(process.argv[2] ?? '') as ServerStart;
const threads = startThreads(start);
const { serve } = await import('./serve.ts');
await serve(start, threads);
