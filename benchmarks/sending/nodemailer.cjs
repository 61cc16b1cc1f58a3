// Sends one message over and over through nodemailer's pool; prints when each was accepted, in seconds.
// node nodemailer.cjs PORT CONNECTIONS COUNT FILE
const [port, connections, count] = process.argv.slice(2, 5).map(Number);
const raw = require("node:fs").readFileSync(process.argv[5]);
const transport = require("nodemailer").createTransport({
  host: "127.0.0.1", port, pool: true, maxConnections: connections, maxMessages: Infinity, ignoreTLS: true,
});
const times = [];
let left = count;
async function work() {
  while (left-- > 0) {
    await transport.sendMail({ envelope: { from: "digest@example.org", to: "reader@example.org" }, raw });
    times.push(performance.now() / 1000);
  }
}
// Twice as many as there are connections, so that none waits for us.
Promise.all(Array.from({ length: 2 * connections }, work)).then(() => {
  transport.close();
  console.log(JSON.stringify(times));
});
