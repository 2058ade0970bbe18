// Asks with the unmodified azure-kusto-data; prints what it gave as one JSON object.
import { Client, ClientRequestProperties, KustoConnectionStringBuilder } from "azure-kusto-data";
import { Readable } from "node:stream";
import { gzipSync } from "node:zlib";

const { ENDPOINT, TOKEN, DATABASE, TABLE } = process.env;
const client = new Client(KustoConnectionStringBuilder.withAccessToken(ENDPOINT, TOKEN));
const out = {};
const rows = (answer) => JSON.parse(answer.primaryResults[0].toString()).data;

const properties = new ClientRequestProperties();
properties.setParameter("n", "41");
properties.setTimeout(60_000);
const typed = await client.executeQuery(
  DATABASE,
  "declare query_parameters(n:long); print a = n + 1, b = datetime(2026-11-22T10:00:00Z), c = 1h, d = dynamic({'k':1}), e = true",
  properties,
);
out.columns = typed.primaryResults[0].columns.map((c) => [c.name, c.type]);
out.row = rows(typed)[0];
out.v1 = rows(await client.executeQueryV1(DATABASE, "print x = 1"))[0].x;
out.databases = rows(await client.executeMgmt(DATABASE, ".show databases"))[0].DatabaseName;
out.tables = rows(await client.execute(DATABASE, ".show tables | count"))[0].Count;

const limits = new ClientRequestProperties();
limits.setOption("truncationmaxrecords", 2);
try {
  await client.executeQuery(DATABASE, "range x from 1 to 5 step 1", limits);
} catch (error) {
  out.cut = JSON.stringify(error.errors ?? error.message);
}
try {
  await client.executeQuery(DATABASE, "LAQueryLogs | where Nothing == 1");
} catch (error) {
  out.error = { status: error.response?.status, text: JSON.stringify(error.response?.data ?? error.message) };
}
await client.executeStreamingIngest(
  DATABASE,
  TABLE,
  // The client says gzip and sends what it is given.
  Readable.from([gzipSync(`${JSON.stringify({ name: "node", n: 7 })}\n`)]),
  "json",
  null,
);
console.log(JSON.stringify(out));
process.exit(0);
