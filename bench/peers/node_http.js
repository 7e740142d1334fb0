// Node's cluster as its users write it. WORKERS processes answer every request with "ok"; a worker that ends is
// replaced at once. Connections are handed out by the primary, round robin (the default).
'use strict';
const cluster = require('cluster');
const workers = Number(process.env.WORKERS);

if (cluster.isPrimary) {
  let listening = 0;
  for (let i = 0; i < workers; i++) cluster.fork();
  cluster.on('exit', () => cluster.fork());
  cluster.on('listening', (_, address) => {
    if (++listening === workers) console.log(`ready port=${address.port}`);
  });
  process.on('SIGTERM', () => {
    for (const worker of Object.values(cluster.workers)) worker.process.kill('SIGKILL');
    process.exit(0);
  });
} else {
  const http = require('http');
  http.createServer((request, response) => {
    response.setHeader('Content-Length', 2);
    response.end('ok');
  }).listen(0, '127.0.0.1');
}
