// Walks through an n8n workflow as n8n does, with the kinds of nodes and expressions that examples/collections/n8n.json has; any
// other one ends it. Arguments: the workflow, the header and the key of its credential, and JSON that replaces what the node `Order` has.
// It prints the end as JSON: {"end": NODE, "json": WHAT CAME TO IT, "requests": NUMBER}.
import { readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'

const [file, header, key, order] = process.argv.slice(2)
const { nodes, connections } = JSON.parse(readFileSync(file, 'utf8'))
const given = new Map()
const runs = new Map()
let requests = 0

function evaluate(text, $json, $runIndex) {
  if (typeof text !== 'string' || !text.startsWith('=')) return text
  const $ = name => ({ first: () => ({ json: given.get(name) }) })
  const value = code => new Function('$json', '$runIndex', '$', `return (${code})`)($json, $runIndex, $)
  const parts = [...text.slice(1).matchAll(/\{\{([\s\S]*?)\}\}(?!\})/g)]
  if (parts.length === 1 && parts[0][0] === text.slice(1)) return value(parts[0][1])
  return text.slice(1).replace(/\{\{([\s\S]*?)\}\}(?!\})/g, (_, code) => value(code))
}

async function ask(node, $json, index) {
  const { method, url, headerParameters, jsonBody, authentication, genericAuthType, options } = node.parameters
  if (authentication !== 'genericCredentialType' || genericAuthType !== 'httpHeaderAuth') throw new Error('not the credential of a header')
  const { fullResponse, neverError } = options.response.response
  if (!fullResponse || !neverError) throw new Error('the workflow would not see what a status other than 200 comes with')
  const headers = { 'content-type': 'application/json', [header]: key }
  for (const { name, value } of headerParameters.parameters) headers[name] = evaluate(value, $json, index)
  for (let tried = 1; ; tried++) {
    try {
      requests++
      const response = await fetch(evaluate(url, $json, index), { method, headers, body: evaluate(jsonBody, $json, index) })
      return [0, { statusCode: response.status, headers: Object.fromEntries(response.headers), body: await response.json() }]
    } catch (error) {
      if (!node.retryOnFail || tried === node.maxTries) return [1, { error: { message: String(error) } }]
      await pause(node.waitBetweenTries)
    }
  }
}

async function run(node, $json, index) {
  const parameters = node.parameters
  switch (node.type.replace('n8n-nodes-base.', '')) {
    case 'manualTrigger':
      return [0, {}]
    case 'set':
      return [0, JSON.parse(node.name === 'Order' ? order : evaluate(parameters.jsonOutput, $json, index))]
    case 'httpRequest':
      return ask(node, $json, index)
    case 'if': {
      const [condition] = parameters.conditions.conditions
      const held = evaluate(condition.leftValue, $json, index)
      if (typeof held !== 'boolean') throw new Error(`${node.name} is neither true nor false: ${held}`)
      return [held ? 0 : 1, $json]
    }
    case 'wait':
      await pause(1000 * evaluate(parameters.amount, $json, index))
      return [0, $json]
    case 'stopAndError':
      return [0, { error: evaluate(parameters.errorMessage, $json, index) }]
    default:
      throw new Error(`no node of this kind is known here: ${node.type}`)
  }
}

let node = nodes.find(node => node.type.endsWith('Trigger'))
let json = {}
for (;;) {
  const index = runs.get(node.name) ?? 0
  runs.set(node.name, index + 1)
  const [output, out] = await run(node, json, index)
  given.set(node.name, out)
  json = out
  const [next] = connections[node.name]?.main[output] ?? []
  if (!next) break
  node = nodes.find(node => node.name === next.node)
}
console.log(JSON.stringify({ end: node.name, json, requests }))
