// Apply cdk-nag packs and the AWS Control Tower controls to templates; all findings as JSON on standard output:
// [template, logical id, pack, rule, message]. Suppressions are judged by scan.py, which runs this:
// node run.mjs FOLDER_OF_NODE_MODULES TEMPLATE...

import { execFileSync } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, join, resolve } from "node:path";

const [modules, ...templates] = process.argv.slice(2);
const require = createRequire(join(resolve(modules), "package.json"));
const { App, Stack } = require("aws-cdk-lib");
const { CfnInclude } = require("aws-cdk-lib/cloudformation-include");
const nag = require("cdk-nag");

const PACKS = {
  AwsSolutions: new nag.AwsSolutionsChecks(),
  Serverless: new nag.ServerlessChecks(),
  "NIST.800.53.R5": new nag.NIST80053R5Checks(),
  "HIPAA.Security": new nag.HIPAASecurityChecks(),
  "PCI.DSS.321": new nag.PCIDSS321Checks(),
};

function* cdkNag(templateFile) {
  const stack = new Stack(new App(), "Stack");
  new CfnInclude(stack, "Template", { templateFile, allowCyclicalReferences: true });
  for (const [pack, checks] of Object.entries(PACKS)) {
    for (const { ruleName, description, violatingResources } of checks.validateScope(stack).violations) {
      for (const { constructPath } of violatingResources) {
        const message = description.replace(/ - \(Control IDs?:.*/, "");
        yield [templateFile, basename(constructPath), pack, ruleName, message];
      }
    }
  }
}

const GUARD = resolve(modules, "node_modules/@cdklabs/cdk-validator-cfnguard");
const RULES = join(GUARD, "rules/control-tower");
const PLATFORM = { linux: "ubuntu", darwin: "macos" }[process.platform];
const CPU = { x64: "x86_64", arm64: "aarch64" }[process.arch];

function controls() {
  const found = {};
  for (const name of readdirSync(join(RULES, "metadata"), { recursive: true })) {
    if (name.endsWith(".json")) {
      const control = JSON.parse(readFileSync(join(RULES, "metadata", name), "utf8"));
      found[control.Id] = control;
    }
  }
  return found;
}

// Guard answers with the tree of clauses it evaluated. The rule's id stands in a message near the top, the paths of
// the properties below it; "to" is what a property was compared with.
function* failures(node, rule) {
  if (Array.isArray(node)) {
    for (const item of node) yield* failures(item, rule);
  } else if (node && typeof node === "object") {
    const id = /\[(CT\.[\w.-]+)\]/.exec(node.messages?.custom_message ?? "")?.[1] ?? rule;
    const resource = /^\/Resources\/([^/]+)/.exec(node.path ?? "")?.[1];
    if (resource && id) yield [resource, id];
    for (const [key, item] of Object.entries(node)) {
      if (key !== "to" && key !== "value") yield* failures(item, id);
      else if (key === "value" && item?.path) yield* failures({ path: item.path }, id);
    }
  }
}

function* controlTower(files) {
  const known = controls();
  const data = files.flatMap((file) => ["--data", file]);
  const options = ["--output-format", "json", "--structured", "--show-summary", "none"];
  let answer;
  try {
    answer = execFileSync(
      join(GUARD, "bin", PLATFORM, CPU, "cfn-guard"),
      ["validate", "--rules", join(RULES, "cfn-guard"), ...data, ...options],
      { maxBuffer: 2 ** 30, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] },
    );
  } catch (error) {
    if (error.status !== 19) throw error; // 19: some rule failed
    answer = error.stdout;
  }
  for (const { name, not_compliant: broken } of JSON.parse(answer)) {
    const template = files.find((file) => basename(file) === basename(name));
    const { Resources: resources } = JSON.parse(readFileSync(template, "utf8"));
    const seen = new Set();
    for (const [resource, id] of failures(broken)) {
      const control = known[id];
      // A control also looks at neighbours of what it judges, such as the policy of a bucket.
      if (!control?.EvaluatedResourceTypes.includes(resources[resource]?.Type)) continue;
      if (seen.has(`${resource} ${id}`)) continue;
      seen.add(`${resource} ${id}`);
      yield [template, resource, "ControlTower", id, `${control.Severity}: ${control.DisplayName}`];
    }
  }
}

const findings = [...templates.flatMap((file) => [...cdkNag(file)]), ...controlTower(templates)];
process.stdout.write(JSON.stringify(findings));
