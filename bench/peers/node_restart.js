// Node's cluster, one worker: from SIGKILL to the replacement's 'listening', KILLS times. One line of JSON.
'use strict';
const cluster = require('cluster');
const now = () => Number(process.hrtime.bigint()) / 1e3;

if (cluster.isPrimary) {
  const kills = Number(process.env.KILLS);
  const times = [];
  let killed = 0;
  const kill = () => {
    killed = now();
    Object.values(cluster.workers)[0].process.kill('SIGKILL');
  };
  cluster.fork();
  cluster.on('exit', () => cluster.fork());
  cluster.on('listening', (worker) => {
    if (killed) times.push(now() - killed);
    if (times.length < kills) {
      setTimeout(kill, 20);
      return;
    }
    console.log(JSON.stringify({ ready_us: times }));
    worker.process.kill('SIGKILL');
    process.exit(0);
  });
} else {
  require('http').createServer((request, response) => response.end('ok')).listen(0, '127.0.0.1');
}
