// One customer by the AWS SDK for JavaScript as it is: connects, says something twice with one client token, reads the
// transcript page by page, is told what is wrong, and leaves.
//
//   node sdk.js ENDPOINT TOKEN
import * as sdk from "@aws-sdk/client-connectparticipant";

const [endpoint, ParticipantToken] = process.argv.slice(2);
const client = new sdk.ConnectParticipantClient({
  endpoint, region: "ap-northeast-2", credentials: { accessKeyId: "none", secretAccessKey: "none" }, maxAttempts: 1,
});
const out = {};
const { ConnectionCredentials, Websocket } = await client.send(new sdk.CreateParticipantConnectionCommand({
  ParticipantToken, Type: ["WEBSOCKET", "CONNECTION_CREDENTIALS"], ConnectParticipant: true,
}));
const { ConnectionToken } = ConnectionCredentials;
out.socket = Websocket.Url;
const message = { ConnectionToken, ContentType: "text/plain", Content: "안녕하세요", ClientToken: "once" };
const first = await client.send(new sdk.SendMessageCommand(message));
const second = await client.send(new sdk.SendMessageCommand(message));
out.once = first.Id === second.Id && first.AbsoluteTime === second.AbsoluteTime;
await client.send(new sdk.SendMessageCommand({ ConnectionToken, ContentType: "text/markdown", Content: "**bold**" }));
await client.send(new sdk.SendEventCommand({ ConnectionToken, ContentType: "application/vnd.amazonaws.connect.event.typing" }));
out.texts = [];
let NextToken;
do {
  const page = await client.send(new sdk.GetTranscriptCommand({ ConnectionToken, MaxResults: 1, NextToken, ScanDirection: "FORWARD", SortOrder: "ASCENDING" }));
  out.texts.push(...page.Transcript.filter((i) => i.Type === "MESSAGE" && i.ParticipantRole === "CUSTOMER").map((i) => i.Content));
  NextToken = page.NextToken;
} while (NextToken);
const fault = (command) => client.send(command).then(() => "none", (e) => e.name);
out.faults = [
  await fault(new sdk.SendMessageCommand({ ConnectionToken, ContentType: "text/plain", Content: "x".repeat(1025) })),
  await fault(new sdk.SendMessageCommand({ ConnectionToken: "wrong", ContentType: "text/plain", Content: "x" })),
  await fault(new sdk.GetAttachmentCommand({ ConnectionToken, AttachmentId: "none" })),
];
await client.send(new sdk.DisconnectParticipantCommand({ ConnectionToken }));
out.faults.push(await fault(new sdk.SendMessageCommand({ ConnectionToken, ContentType: "text/plain", Content: "late" })));
console.log(JSON.stringify(out));
