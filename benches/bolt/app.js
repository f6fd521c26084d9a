// A Bolt for JavaScript app that checks signatures and acknowledges: the peer of benches/throughput.rs.
const { App } = require(process.env.BOLT);

const app = new App({
  token: 'xoxb-sandbox-bot-token',
  signingSecret: process.env.SIGNING_SECRET,
  tokenVerificationEnabled: false,
  authorize: undefined,
  botId: 'B0DEFENDABLE',
  botUserId: 'U0DEFENDABLE',
  endpoints: '/slack/events',
  logLevel: 'error',
});
app.command('/dd', async ({ ack }) => ack('There you are.'));
app.view({ callback_id: 'ignore', type: 'view_closed' }, async ({ ack }) => ack());
app.start(Number(process.env.PORT));
