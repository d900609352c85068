// The gateway binds every address; here it may bind this machine's own alone.
const { Server } = require('node:net');
const listen = Server.prototype.listen;
Server.prototype.listen = function (first, ...rest) {
  if (first && typeof first === 'object' && 'port' in first) return listen.call(this, { ...first, host: '127.0.0.1', ipv6Only: false }, ...rest);
  if (/^\d+$/.test(String(first))) return listen.call(this, { port: Number(first), host: '127.0.0.1' }, ...rest.filter((each) => typeof each === 'function'));
  return listen.call(this, first, ...rest);
};
