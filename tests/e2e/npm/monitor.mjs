// Asks with the unmodified @azure/monitor-query-logs; prints what it gave as one JSON object.
import { LogsQueryClient } from "@azure/monitor-query-logs";

const { ENDPOINT, TOKEN, WORKSPACE, SERVICE } = process.env;
const credential = {
  getToken: async () => ({ token: TOKEN, expiresOnTimestamp: Date.now() + 3600_000 }),
};
const client = new LogsQueryClient(credential, { endpoint: `${ENDPOINT}/v1` });
const out = {};

const one = await client.queryWorkspace(
  WORKSPACE,
  "print a = 1, b = 'x', c = datetime(2026-11-22), d = dynamic({'k':1}), e = true | render table",
  { duration: "PT1H" },
  { includeQueryStatistics: true, includeVisualization: true, serverTimeoutInSeconds: 30 },
);
out.status = one.status;
out.columns = one.tables[0].columnDescriptors;
out.row = one.tables[0].rows[0];
out.statistics = Boolean(one.statistics?.query);
out.visualization = one.visualization?.visualization;

const resource = await client.queryResource(SERVICE, "ApiManagementGatewayLogs | count", { duration: "P1D" });
out.resource = resource.tables[0].rows[0].length;

const batch = await client.queryBatch([
  { workspaceId: WORKSPACE, query: "print 1", timespan: { duration: "PT1H" } },
  { workspaceId: WORKSPACE, query: "print 1 |", timespan: { duration: "PT1H" } },
  { workspaceId: WORKSPACE, query: "T", timespan: { duration: "PT1H" }, additionalWorkspaces: ["nowhere"] },
]);
out.batch = batch.map((r) => r.status);
out.batchCode = batch[1].partialError.code;

try {
  await client.queryWorkspace(WORKSPACE, "LAQueryLogs | where Nothing == 1", { duration: "PT1H" });
} catch (error) {
  out.error = { status: error.statusCode, code: error.code, message: error.message };
}
console.log(JSON.stringify(out));
