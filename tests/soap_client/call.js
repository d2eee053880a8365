// Calls the gateway's SOAP face with the npm package "soap", knowing nothing but its WSDL.
// Arguments: one JSON object {url, ca, certificate, key, version, operation, arguments}; prints one JSON object.
"use strict";

const fs = require("node:fs");
const https = require("node:https");
const soap = require("soap");

async function main() {
  const asked = JSON.parse(process.argv[2]);
  const files = {
    ca: fs.readFileSync(asked.ca),
    cert: fs.readFileSync(asked.certificate),
    key: fs.readFileSync(asked.key),
  };
  const agent = new https.Agent(files);
  const client = await soap.createClientAsync(`${asked.url}/soap?wsdl`, {
    forceSoap12Headers: asked.version === "1.2",
    wsdl_options: { httpsAgent: agent, proxy: false },
  });
  client.setSecurity(new soap.ClientSSLSecurity(files.key, files.cert, files.ca));
  const port = asked.version === "1.2" ? "Soap12" : "Soap11";
  const call = client.Xinqiao[port][asked.operation];
  const answer = await new Promise((resolve) => {
    call(
      asked.arguments,
      (error, result) => {
        if (!error) return resolve({ result });
        const fault = error.root && error.root.Envelope && error.root.Envelope.Body.Fault;
        return resolve({ fault: fault || String(error) });
      },
      { httpsAgent: agent, proxy: false },
    );
  });
  process.stdout.write(JSON.stringify(answer));
}

main().catch((error) => {
  process.stderr.write(`${error.stack || error}\n`);
  process.exit(1);
});
