// A softphone as small as can be, on JsSIP: one call at a time, and an ear. The test calls the functions of
// window.phone; docs/browser-phones.md recommends what is done here.
'use strict';

const rate = 8000; // of the ear

// The ear keeps the last seconds of what the far end says, after Chromium's jitter buffer, as everybody would hear it.
const earModule = `registerProcessor('ear', class extends AudioWorkletProcessor {
  process([input]) { if (input[0]) this.port.postMessage(input[0].slice()); return true; }
});`;

class Ear {
  constructor(seconds) {
    this.samples = new Int16Array(seconds * rate);
    this.count = 0; // heard since the beginning
    this.context = new AudioContext({ sampleRate: rate });
    this.ready = this.context.audioWorklet.addModule(URL.createObjectURL(new Blob([earModule], { type: 'text/javascript' })));
  }

  async listen(stream) {
    await this.ready;
    this.source?.disconnect();
    this.source = this.context.createMediaStreamSource(stream);
    const node = new AudioWorkletNode(this.context, 'ear');
    node.port.onmessage = ({ data }) => {
      for (const v of data) this.samples[this.count++ % this.samples.length] = Math.max(-32768, Math.min(32767, Math.round(32768 * v)));
    };
    this.source.connect(node).connect(this.context.destination);
    await this.context.resume();
  }

  // heard is the last seconds, base64 of 16 bit little-endian.
  heard(seconds) {
    const n = Math.min(seconds * rate, this.count, this.samples.length);
    const out = new Int16Array(n);
    for (let i = 0; i < n; i++) out[i] = this.samples[(this.count - n + i) % this.samples.length];
    let text = '';
    for (const b of new Uint8Array(out.buffer)) text += String.fromCharCode(b);
    return btoa(text);
  }
}

class Phone {
  calls = []; // what became of all of them, the last one is the one that is meant

  start({ server, user, password, domain, instance }) {
    this.ear = new Ear(30);
    this.microphone = navigator.mediaDevices.getUserMedia({ audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false } });
    this.ua = new JsSIP.UA({
      sockets: [new JsSIP.WebSocketInterface(server)],
      uri: `sip:${user}@${domain}`, password, instance_id: instance, register_expires: 120,
      connection_recovery_min_interval: 1, connection_recovery_max_interval: 2,
    });
    for (const name of ['connected', 'disconnected', 'registered', 'unregistered', 'registrationFailed']) {
      this.ua.on(name, e => tell(`${name} ${e?.cause ?? e?.reason ?? ''}`));
    }
    this.ua.on('disconnected', () => this.lost());
    this.ua.on('newRTCSession', e => this.take(e.session));
    this.ua.start();
  }

  // lost ends what cannot be saved: JsSIP can no longer answer a call that rang on the connection, nor hear whether its
  // answer arrived.
  lost() {
    for (const { session } of this.calls) {
      if (session.direction === 'incoming' && session.isInProgress()) session.terminate();
    }
  }

  // take follows a call.
  take(session) {
    // Rung again, after a connection was lost as we answered: our 200 got lost with it, no ACK will ever come.
    if (session.direction === 'incoming') {
      for (const call of this.calls) if (call.state === 'answered' && call.direction === 'incoming') call.session.terminate();
    }
    const call = { session, state: 'new', held: false, keys: '', direction: session.direction, from: session.remote_identity.uri.user };
    this.calls.push(call);
    const becomes = state => () => { call.state = state; tell(`call ${this.calls.indexOf(call)} ${state}`); };
    session.on('progress', becomes('ringing'));
    session.on('accepted', becomes('answered'));
    session.on('confirmed', becomes('confirmed'));
    session.on('hold', e => { call[e.originator === 'local' ? 'held' : 'heldByThem'] = true; });
    session.on('unhold', e => { call[e.originator === 'local' ? 'held' : 'heldByThem'] = false; });
    session.on('newDTMF', e => { if (e.originator === 'remote') call.keys += e.dtmf.tone; });
    const over = e => { call.cause = `${e.originator}: ${e.cause}`; becomes('over')(); tell(call.cause); };
    session.on('failed', over);
    session.on('ended', over);
    session.on('icecandidate', e => e.ready()); // the node needs none of our candidates: it waits for our checks
    for (const what of ['setremotedescriptionfailed', 'setlocaldescriptionfailed', 'createanswerfailed', 'createofferfailed']) {
      session.on(`peerconnection:${what}`, e => tell(`${what} ${e}`));
    }
    const attach = pc => pc.addEventListener('track', e => {
      const stream = new MediaStream([e.track]);
      document.getElementById('speaker').srcObject = stream; // Chromium decodes nothing without one
      this.ear.listen(stream);
    });
    if (session.connection) attach(session.connection);
    else session.on('peerconnection', e => attach(e.peerconnection));
  }

  get last() { return this.calls[this.calls.length - 1]; }

  async dial(target, replaces) {
    const extraHeaders = replaces ? [`Replaces: ${replaces}`] : [];
    this.ua.call(target, { mediaStream: await this.microphone, extraHeaders });
  }

  async answer() { this.last.session.answer({ mediaStream: await this.microphone }); }
  hangup() { this.last.session.terminate(); }
  hold() { return new Promise((ok, no) => this.last.session.hold({}, () => ok(true)) || no(new Error('cannot hold now'))); }
  resume() { return new Promise((ok, no) => this.last.session.unhold({}, () => ok(true)) || no(new Error('cannot resume now'))); }
  // press sends keys as soon as there is audio: before, Chromium refuses.
  async press(keys, how) {
    const { session } = this.last;
    while (session.connection.connectionState !== 'connected') await new Promise(ok => setTimeout(ok, 20));
    session.sendDTMF(keys, { transportType: how, duration: 100, interToneGap: 300 });
  }

  heard(seconds) { return this.ear.heard(seconds); }
  register() { this.ua.register(); }

  // dialog is the call as a Replaces header names it to the node, which is the one that would be replaced (RFC 3891 §3).
  dialog() {
    const { call_id, local_tag, remote_tag } = this.last.session._dialog.id;
    return `${call_id};to-tag=${remote_tag};from-tag=${local_tag}`;
  }

  stop() { this.ua.stop(); }

  state() {
    const { session, ...call } = this.last ?? {};
    return {
      connected: this.ua.isConnected(), registered: this.ua.isRegistered(), calls: this.calls.length, call,
      live: this.calls.filter(c => !c.session.isEnded()).length,
      ice: session?.connection?.iceConnectionState, sdp: session?.connection?.remoteDescription?.sdp,
    };
  }

  async stats() {
    const out = {};
    (await this.last.session.connection.getStats()).forEach(s => {
      if (s.type === 'inbound-rtp') Object.assign(out, { received: s.packetsReceived, lost: s.packetsLost, concealed: s.concealedSamples });
      if (s.type === 'outbound-rtp') out.sent = s.packetsSent;
      if (s.type === 'transport') Object.assign(out, { dtls: s.dtlsState, cipher: s.srtpCipher });
    });
    return out;
  }
}

window.phone = new Phone();
