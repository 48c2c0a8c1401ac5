<?php
// An order from a webshop goes to Odoo: PHP 8.1 or later with the extension curl.
//
//   GATEWAY_URL=http://127.0.0.1:8080 GATEWAY_KEY=… php php_curl.php
//
// CUSTOMER and ORDER are the webshop's own numbers. A second run with the same numbers changes nothing.
declare(strict_types=1);

define('URL', rtrim(getenv('GATEWAY_URL') ?: exit("set GATEWAY_URL\n"), '/'));
define('KEY', getenv('GATEWAY_KEY') ?: exit("set GATEWAY_KEY\n"));
define('CUSTOMER', getenv('CUSTOMER') ?: 'C-1001');
define('ORDER', getenv('ORDER') ?: '4711');
const TRIES = 5;

/** A call that was refused. `errorCode` is stable and listed in docs/errors.md; `retry` is safe, unsafe or no. */
final class GatewayError extends Exception
{
    public function __construct(
        string $message,
        public readonly string $errorCode,
        public readonly string $retry,
        public readonly ?string $path,
        public readonly ?string $callId,
        public readonly int $retryAfter,
    ) {
        parent::__construct($message);
    }
}

/** No answer, or one that does not come from the gateway: it is not known whether the call was made. */
final class NoAnswer extends Exception
{
}

/** Makes a call and gives its result. With a key, it is repeated without being done twice. */
function call(string $route, string $model, array $vals, ?string $key = null): mixed
{
    for ($attempt = 1; ; $attempt++) {
        try {
            return call_once($route, $model, $vals, $key);
        } catch (GatewayError $error) {
            if ($error->retry !== 'safe' || $attempt === TRIES) {
                throw $error;
            }
            sleep($error->retryAfter ?: $attempt);
        } catch (NoAnswer $error) {
            // With the key it may be asked again, without it may not.
            if ($key === null || $attempt === TRIES) {
                throw $error;
            }
            sleep($attempt);
        }
    }
}

function call_once(string $route, string $model, array $vals, ?string $key): mixed
{
    $headers = ['Content-Type: application/json', 'x-api-key: ' . KEY];
    if ($key !== null) {
        $headers[] = "Idempotency-Key: $key";
    }
    $answered = [];
    $curl = curl_init(URL . "/api/$route");
    curl_setopt_array($curl, [
        CURLOPT_POSTFIELDS => json_encode(['model' => $model, 'vals' => $vals], JSON_THROW_ON_ERROR),
        CURLOPT_HTTPHEADER => $headers,
        CURLOPT_RETURNTRANSFER => true,
        CURLOPT_TIMEOUT => 120,
        CURLOPT_HEADERFUNCTION => function ($curl, string $line) use (&$answered): int {
            [$name, $value] = array_pad(explode(':', $line, 2), 2, '');
            $answered[strtolower($name)] = trim($value);
            return strlen($line);
        },
    ]);
    $text = curl_exec($curl);
    if ($text === false) {
        throw new NoAnswer(curl_error($curl));
    }
    $body = json_decode($text, true);
    if (!is_array($body)) {
        throw new NoAnswer('no JSON, with status ' . curl_getinfo($curl, CURLINFO_RESPONSE_CODE));
    }
    $result = $body['result'] ?? [];
    if ($result['is_success'] ?? false) {
        foreach ($result['warnings'] ?? [] as $warning) {
            echo "warning: {$warning['code']} {$warning['message']}\n";
        }
        return $result['result'];
    }
    $error = $result['error'] ?? $body['error']['data'];
    throw new GatewayError(
        $result['messages'] ?? $body['error']['message'],
        $error['code'],
        $error['retry'],
        $error['path'] ?? null,
        $answered['gateway-call-id'] ?? null,
        (int) ($answered['retry-after'] ?? 0),
    );
}

// A customer, by the webshop's number: made the first time, written into after that.
$customer = call('create_update_data', 'res.partner', [
    'search_key' => ['ref' => CUSTOMER],
    'payload' => ['name' => 'Ada Byron', 'email' => 'ada@example.com', 'country_id' => ['code' => 'BE']],
]);
echo 'customer ', json_encode($customer), "\n";

// An order with lines. Customer and products are named by fields that the webshop knows.
$order = call('create_data', 'sale.order', [
    'payload' => [
        'partner_id' => ['ref' => CUSTOMER],
        'client_order_ref' => ORDER,
        'order_line' => [
            ['product_id' => ['default_code' => 'FURN_7777'], 'product_uom_qty' => 2, 'price_unit' => 115],
            ['product_id' => ['default_code' => 'FURN_8888'], 'product_uom_qty' => 8],
        ],
    ],
    'result_field' => ['name'],
], 'order-' . ORDER);
echo "order {$order['id']} {$order['name']}\n";

// A change of that order.
call('update_data', 'sale.order', [
    'search_key' => ['client_order_ref' => ORDER],
    'payload' => ['commitment_date' => '2026-12-24T10:00:00+01:00'],
], 'order-' . ORDER . '-date');

// A file of that order. Files are added, so the key keeps a second one away.
call('update_data', 'sale.order', [
    'search_key' => ['client_order_ref' => ORDER],
    'payload' => ['attachment_ids' => [['name' => 'order.txt', 'datas' => base64_encode('As ordered.')]]],
], 'order-' . ORDER . '-file');

// A search.
[$found] = call('search_data', 'sale.order', [
    'payload' => [
        'search_domain' => [['client_order_ref', '=', ORDER]],
        'search_field' => ['name', 'state', 'amount_untaxed', 'order_line{product_uom_qty, product_id{default_code}}'],
    ],
]);
echo "found {$found['name']} {$found['state']} {$found['amount_untaxed']} ", count($found['order_line']), " lines\n";

// A mistake: nothing of this order is written, and the error says what to mend.
try {
    call('create_data', 'sale.order', [
        'payload' => ['partner_id' => ['ref' => CUSTOMER], 'order_line' => [['product_id' => ['default_code' => 'NO-SUCH-PRODUCT']]]],
    ], 'order-' . ORDER . '-mistake');
} catch (GatewayError $error) {
    echo "refused {$error->errorCode} {$error->path} {$error->callId}\n";
}
