// One participant of a chat, by amazon-connect-chatjs as it is on npm. A command is a line of JSON on standard input, its
// answer and what happens are lines on standard output.
//
//   node session.js CUSTOMER|AGENT ENDPOINT CONTACT PARTICIPANT TOKEN
import { createInterface } from "node:readline";
import { createRequire } from "node:module";
import { WebSocket } from "ws";

// What a browser has and Node has not.
const sockets = [];
globalThis.WebSocket = class extends WebSocket {
  constructor(...args) {
    super(...args);
    sockets.push(this);
  }
};
globalThis.window = globalThis;
globalThis.self = globalThis;
globalThis.addEventListener ??= () => {};
globalThis.removeEventListener ??= () => {};
Object.defineProperty(globalThis, "navigator", { value: { userAgent: "node", onLine: true }, configurable: true });

const say = (what) => process.stdout.write(JSON.stringify(what) + "\n");
const silent = () => {};
for (const level of ["log", "info", "warn", "error", "debug"]) console[level] = silent;

createRequire(import.meta.url)("amazon-connect-chatjs");
const { ChatSession } = globalThis.connect;
const [type, endpoint, contactId, participantId, participantToken] = process.argv.slice(2);

ChatSession.setGlobalConfig({
  endpoint,
  region: "ap-northeast-2",
  loggerConfig: { customizedLogger: { debug: silent, info: silent, warn: silent, error: silent } },
  features: { messageReceipts: { shouldSendMessageReceipts: true, throttleTime: 200 } },
});
const session = ChatSession.create({
  chatDetails: {
    contactId, participantId, participantToken, initialContactId: contactId,
    getConnectionToken: () => Promise.reject(new Error("there is no panel")),
  },
  type: ChatSession.SessionTypes[type],
  options: { region: "ap-northeast-2" },
  disableCSM: true,
});
for (const event of ["onMessage", "onTyping", "onReadReceipt", "onDeliveredReceipt", "onEnded", "onConnectionEstablished", "onConnectionLost",
  "onConnectionBroken", "onParticipantIdle", "onParticipantReturned", "onAutoDisconnection", "onDeepHeartbeatSuccess", "onDeepHeartbeatFailure"]) {
  session[event]?.((e) => say({ event, data: e?.data ?? null }));
}

const does = {
  connect: () => session.connect(),
  send: ({ text, contentType, clientToken }) => session.sendMessage({ message: text, contentType: contentType ?? "text/plain", clientToken }),
  event: ({ contentType, content }) => session.sendEvent({ contentType, content }),
  transcript: (q) => session.getTranscript(q),
  disconnect: () => session.disconnectParticipant(),
  file: ({ name, type, text }) => session.sendAttachment({ attachment: new File([text], name, { type }) }),
  download: async ({ id }) => ({ data: await (await session.downloadAttachment({ attachmentId: id })).text() }),
  // The network goes away under the socket.
  cut: async () => sockets.forEach((s) => s.terminate()),
};

createInterface({ input: process.stdin }).on("line", async (line) => {
  const { n, op, args } = JSON.parse(line);
  try {
    const result = await does[op](args ?? {});
    say({ n, result: result?.data ?? result ?? null });
  } catch (e) {
    say({ n, error: String(e?.message ?? e?.type ?? JSON.stringify(e)) });
  }
}).on("close", () => process.exit(0));
say({ event: "ready" });
