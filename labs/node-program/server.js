// Nothing in this file knows of podwire: it is a program for Node as any other.
const http = require('node:http');
const os = require('node:os');

let visits = 0;

const server = http.createServer((request, response) => {
  if (request.url === '/healthz') {
    response.end('ok');
    return;
  }
  visits += 1;
  console.log(`visit ${visits} from ${request.socket.remoteAddress}`);
  response.end(`visit ${visits} of ${os.hostname()} on ${process.env.NODE_NAME}\n`);
});

server.listen(3000, () => console.log('listening on port', server.address().port));

process.on('SIGTERM', () => {
  console.log('bye');
  server.close(() => process.exit(0));
});
