// SPDX-License-Identifier: Apache-2.0
// An LMTP server made of nodemailer's smtp-server as it comes, with handlers that deliver into Maildirs.
// Run by libraries.py: node nodemailer_server.cjs FOLDER-OF-THE-PACKAGE SETTINGS-AS-JSON.
"use strict";

const fs = require("node:fs");
const path = require("node:path");

const { SMTPServer } = require(process.argv[2]);
const settings = JSON.parse(process.argv[3]);
const { socket, port, maildir, users, over_quota: overQuota, passwords } = settings;
const pem = settings.certificate_file && fs.readFileSync(settings.certificate_file);
let delivered = 0;

// The library hands on addresses as they were written: quotes and needless backslashes are no part of a local part
// (RFC 5321 §4.1.2), and domains compare without case (§2.4).
function known(address) {
  const at = address.lastIndexOf("@");
  const localPart = address.slice(0, at).replace(/^"(.*)"$/, (_, quoted) => quoted.replace(/\\(.)/g, "$1"));
  return localPart + address.slice(at).toLowerCase();
}

function refusal(responseCode, text) {
  return Object.assign(new Error(text), { responseCode });
}

function deliver(address, content) {
  const [localPart, domain] = address.split("@");
  const folder = path.join(maildir, domain, localPart);
  for (const name of ["tmp", "new", "cur"]) fs.mkdirSync(path.join(folder, name), { recursive: true });
  const name = `${process.pid}_${++delivered}`;
  fs.writeFileSync(path.join(folder, "tmp", name), content);
  fs.renameSync(path.join(folder, "tmp", name), path.join(folder, "new", name));
}

function outcome(recipient, content) {
  const address = known(recipient.address);
  if (overQuota.includes(address)) return refusal(552, "over quota");
  deliver(address, content);
  return "OK";
}

const options = {
  ...(pem && { key: pem, cert: pem }),
  lmtp: true,
  hideENHANCEDSTATUSCODES: false, // there, as RFC 2033 §5 asks, but hidden unless told otherwise
  authOptional: true,
  logger: true,
  onAuth({ username, password }, session, callback) {
    const isRight = Object.hasOwn(passwords, username) && passwords[username] === password;
    callback(...(isRight ? [null, { user: username }] : [new Error("no")]));
  },
  onRcptTo({ address }, session, callback) {
    callback(users.includes(known(address)) ? null : refusal(550, "no such user"));
  },
  onData(stream, session, callback) {
    const chunks = [];
    stream.on("data", (chunk) => chunks.push(chunk));
    stream.on("end", () => {
      const content = Buffer.concat(chunks);
      callback(null, session.envelope.rcptTo.map((recipient) => outcome(recipient, content)));
    });
  },
};

for (const endpoint of [[socket], [port, "127.0.0.1"]]) {
  const server = new SMTPServer(options);
  // Clients that leave without a word are errors to it, and an error nobody hears of ends the process.
  server.on("error", (error) => console.error(`${error}`));
  server.listen(...endpoint);
}
