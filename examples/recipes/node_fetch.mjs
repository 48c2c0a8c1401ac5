// An order from a webshop goes to Odoo: Node.js 18 or later, no packages.
//
//   GATEWAY_URL=http://127.0.0.1:8080 GATEWAY_KEY=… node node_fetch.mjs
//
// CUSTOMER and ORDER are the webshop's own numbers. A second run with the same numbers changes nothing.
import { setTimeout as pause } from 'node:timers/promises'

const { GATEWAY_URL, GATEWAY_KEY, CUSTOMER = 'C-1001', ORDER = '4711' } = process.env
if (!GATEWAY_URL || !GATEWAY_KEY) throw new Error('set GATEWAY_URL and GATEWAY_KEY')
const TRIES = 5

/** A call that was refused. `code` is stable and listed in docs/errors.md; `retry` is safe, unsafe or no. */
class GatewayError extends Error {
  constructor(message, { code, retry, path }, callId, retryAfter) {
    super(message)
    Object.assign(this, { code, retry, path, callId, retryAfter })
  }
}

/** Makes a call and gives its result. With a key, it is repeated without being done twice. */
async function call(route, model, vals, key) {
  for (let attempt = 1; ; attempt++) {
    try {
      return await callOnce(route, model, vals, key)
    } catch (error) {
      // Where there was no answer, it is not known whether the gateway did it: with the key it may be asked again.
      const mayRepeat = error instanceof GatewayError ? error.retry === 'safe' : Boolean(key)
      if (!mayRepeat || attempt === TRIES) throw error
      await pause(1000 * (error.retryAfter || attempt))
    }
  }
}

async function callOnce(route, model, vals, key) {
  const headers = { 'content-type': 'application/json', 'x-api-key': GATEWAY_KEY }
  if (key) headers['idempotency-key'] = key
  const response = await fetch(`${GATEWAY_URL.replace(/\/$/, '')}/api/${route}`, {
    method: 'POST',
    headers,
    body: JSON.stringify({ model, vals }),
    signal: AbortSignal.timeout(120_000),
  })
  // What is no JSON comes from a proxy between this program and the gateway, and is an error like a lost connection.
  const { result, error } = await response.json()
  if (result?.is_success) {
    for (const warning of result.warnings ?? []) console.log('warning:', warning.code, warning.message)
    return result.result
  }
  throw new GatewayError(
    result?.messages ?? error.message,
    result?.error ?? error.data,
    response.headers.get('gateway-call-id'),
    Number(response.headers.get('retry-after')),
  )
}

// A customer, by the webshop's number: made the first time, written into after that.
const customer = await call('create_update_data', 'res.partner', {
  search_key: { ref: CUSTOMER },
  payload: { name: 'Ada Byron', email: 'ada@example.com', country_id: { code: 'BE' } },
})
console.log('customer', customer)

// An order with lines. Customer and products are named by fields that the webshop knows.
const order = await call('create_data', 'sale.order', {
  payload: {
    partner_id: { ref: CUSTOMER },
    client_order_ref: ORDER,
    order_line: [
      { product_id: { default_code: 'FURN_7777' }, product_uom_qty: 2, price_unit: 115 },
      { product_id: { default_code: 'FURN_8888' }, product_uom_qty: 8 },
    ],
  },
  result_field: ['name'],
}, `order-${ORDER}`)
console.log('order', order.id, order.name)

// A change of that order.
await call('update_data', 'sale.order', {
  search_key: { client_order_ref: ORDER },
  payload: { commitment_date: '2026-12-24T10:00:00+01:00' },
}, `order-${ORDER}-date`)

// A file of that order. Files are added, so the key keeps a second one away.
await call('update_data', 'sale.order', {
  search_key: { client_order_ref: ORDER },
  payload: { attachment_ids: [{ name: 'order.txt', datas: Buffer.from('As ordered.').toString('base64') }] },
}, `order-${ORDER}-file`)

// A search.
const [found] = await call('search_data', 'sale.order', {
  payload: {
    search_domain: [['client_order_ref', '=', ORDER]],
    search_field: ['name', 'state', 'amount_untaxed', 'order_line{product_uom_qty, product_id{default_code}}'],
  },
})
console.log('found', found.name, found.state, found.amount_untaxed, found.order_line.length, 'lines')

// A mistake: nothing of this order is written, and the error says what to mend.
try {
  await call('create_data', 'sale.order', {
    payload: { partner_id: { ref: CUSTOMER }, order_line: [{ product_id: { default_code: 'NO-SUCH-PRODUCT' } }] },
  }, `order-${ORDER}-mistake`)
} catch (error) {
  if (!(error instanceof GatewayError)) throw error
  console.log('refused', error.code, error.path, error.callId)
}
