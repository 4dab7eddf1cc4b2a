/** Every problem the API answers by name, with its status and what to do about it. The names are stable; `/problems` serves this list. */

export interface CatalogueEntry {
  status: number
  title: string
  /** What the caller can do. */
  advice: string
  /** Present where coming again helps; a more exact `Retry-After` may be sent. */
  retryAfterSeconds?: number
}

const entry = (status: number, title: string, advice: string, retryAfterSeconds?: number): CatalogueEntry => ({
  status,
  title,
  advice,
  ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
})

/** Codes that are not listed are broken rules of a service: 409. */
export const catalogue: Record<string, CatalogueEntry> = {
  'invalid-request': entry(
    400,
    'The request can not be taken',
    'Correct the fields under `errors`. 422 when the body is JSON but not what was asked for, 400 otherwise.',
  ),
  unauthenticated: entry(
    401,
    'Who are you?',
    'Send a valid token: `Authorization: Bearer …`. `lockstep token --role ADMIN` prints one.',
  ),
  forbidden: entry(403, 'Not with this role', 'Use a token with one of the roles under `roles`.'),
  'not-found': entry(404, 'Not found', 'Check the id.'),
  'no-such-route': entry(404, 'No such path', 'See /docs for what there is.'),
  'method-not-allowed': entry(405, 'Not with this method', 'Use one of the methods under `allow`.'),
  'already-exists': entry(409, 'It exists already', 'Use another id, or change what is there.'),
  'sku-repeated': entry(422, 'A SKU is given twice', 'Give every variant a SKU of its own.'),
  'unknown-sku': entry(422, 'An SKU that is not known', '`lines` says which.'),
  'inactive-sku': entry(409, 'No longer sold', '`lines` says which.'),
  'sku-conflict': entry(409, 'The SKU belongs to another product', 'Remove it there first.'),
  'sku-taken': entry(
    409,
    'The SKU belongs to another product',
    'A SKU belongs to one product: choose another, or remove it there first.',
  ),
  'slug-taken': entry(
    409,
    'The slug belongs to another product',
    '`productId` says which. Choose another, or change it there first.',
  ),
  'email-taken': entry(
    409,
    'The e-mail address belongs to another customer',
    'An address belongs to one customer: choose another, or change it there first.',
  ),
  'customer-erased': entry(410, 'The customer was erased', 'Nothing brings it back. Create another, with another id.'),
  'insufficient-stock': entry(409, 'Not enough in stock', 'Nothing was taken. `lines` says what is available.'),
  'reservation-expired': entry(409, 'The reservation has expired', 'Its stock was released. Reserve again.'),
  'reservation-released': entry(409, 'The reservation was released', 'Its stock went back. Reserve again.'),
  'reservation-confirmed': entry(409, 'The reservation was confirmed', 'It is an order now: cancel or return that.'),
  'return-exceeds-order': entry(
    409,
    'More than was ordered',
    'Return at most what the order still holds; `lines` says how much.',
  ),
  'reservation-mismatch': entry(
    409,
    'Not what was reserved',
    'Sell what the reservation holds, under the order it was made for; `lines` says what differs.',
  ),
  'order-status': entry(
    409,
    'The order can not become that',
    '`orderStatus` says where it stands. A fulfilled order is returned, not cancelled.',
  ),
  'price-conflict': entry(422, 'Two prices for one SKU', 'Give a SKU one price in an order.'),
  'release-exceeds-reservation': entry(
    409,
    'More than is held',
    'Release at most what the reservation holds; `lines` says how much.',
  ),
  'counted-in-the-future': entry(422, 'Nobody has counted that yet', 'Send the time at which it was counted.'),
  'counted-since': entry(409, 'A later count is known', 'Count again, or leave out what `lines` names.'),
  'transfer-to-itself': entry(422, 'The goods are there already', 'Name two warehouses.'),
  'receipt-exceeds-delivery': entry(
    409,
    'More than is under way',
    'Receive at most what the delivery still brings; `lines` says how much. Count what came besides.',
  ),
  'delivery-received': entry(409, 'All of it has arrived', 'Nothing is left to cancel.'),
  'delivery-cancelled': entry(409, 'The delivery was cancelled', 'Announce it again.'),
  'inactive-warehouse': entry(409, 'The warehouse is not in use', 'Choose one that is; see /warehouses.'),
  'below-reserved': entry(
    409,
    'Less than is reserved',
    'Orders and reservations hold more than that. Release them first, or set more.',
  ),
  'list-evaluating': entry(
    409,
    'Customers are still being asked',
    'The list is new, or its rule was changed. Wait until `evaluating` is false.',
  ),
  'not-to-be-retried': entry(
    409,
    'There is nothing to retry',
    'The mail was sent, is being sent or waits to be; `state` says which.',
  ),
  'not-to-be-discarded': entry(
    409,
    'It can not be put aside any more',
    'The mail was sent, or is being sent just now.',
  ),
  'payment-declined': entry(
    402,
    'The payment was declined',
    'Nothing was taken and nothing is held. Try another means of payment, with a new Idempotency-Key.',
  ),
  'payment-unclear': entry(
    502,
    'The payment provider gave no answer to rely on',
    'All of it was undone. Try again later, with a new Idempotency-Key.',
  ),
  'cart-checked-out': entry(
    409,
    'The cart is being bought, or was',
    'See the checkout under `checkoutId`: if it fails, the cart can be changed and merged again.',
  ),
  'cart-changed': entry(
    409,
    'The cart was changed just now',
    'It is not bought otherwise than it was priced. Look at it again, and buy it then.',
  ),
  'cart-merged': entry(409, 'The cart was merged into another', 'Go on with the cart under `mergedInto`.'),
  'cart-owner': entry(
    409,
    'The carts do not belong together',
    'Merge an anonymous cart, or another of the same customer, into a customer’s.',
  ),
  'cart-full': entry(
    409,
    'So many lines a cart does not have',
    'Take some out, or begin another. `most` says how many.',
  ),
  'cart-empty': entry(422, 'There is nothing in the cart', 'Put something in.'),
  'checkout-over': entry(
    409,
    'The checkout is over',
    'Nothing is left to be retried. `checkoutStatus` says how it ended.',
  ),
  'below-promised': entry(
    409,
    'Less than is promised',
    'More units than are on hand are promised already, `promised`: that many must be allowed, or goods come in first.',
  ),
  'promotion-over': entry(422, 'The promotion would be over already', 'Choose an end that is yet to come.'),
  'too-many-rules': entry(409, 'So many rules there may not be', 'Remove some that are no longer needed.'),
  'mixed-currencies': entry(422, 'Prices in several currencies', 'Ask for each currency by itself.'),
  'total-too-large': entry(422, 'The total is too large', 'Ask for less at once.'),
  'feed-busy': entry(409, 'The feed is being read', 'Wait until its run under way has ended; `run` says which.'),
  'feed-run-not-held': entry(
    409,
    'The run is not held',
    'Only a held run waits for a word; `runStatus` says what it is.',
  ),
  'feed-too-large': entry(413, 'The feed is too large to upload', 'Give the feed a source: a file or an address.'),
  'not-dead': entry(
    409,
    'It is not a dead letter',
    'It is still being retried; only what was given up can be discarded.',
  ),
  'not-discarded': entry(
    409,
    'It was not put aside',
    'It is still being retried; only what was discarded can be restored.',
  ),
  'left-the-log': entry(422, 'The log does not go back so far', 'Choose a position from `first` on.'),
  'beyond-the-log': entry(422, 'The log is not that long', 'Choose a position up to the end; see /consumers.'),
  'login-used': entry(
    410,
    'The log-in link is used up',
    'A link works once and for ten minutes. `lockstep login` prints a new one.',
  ),
  'version-mismatch': entry(
    412,
    'Somebody else was faster',
    'Read it again, decide again, and send the version you then saw in If-Match.',
  ),
  'too-large': entry(413, 'The body is too large', 'Send at most 1 MiB.'),
  'media-too-large': entry(
    413,
    'The image or video is too large',
    'Send a smaller one; `detail` says how large it may be.',
  ),
  'unusable-media': entry(
    422,
    'Not an image or video we take',
    'Send a JPEG, PNG, WebP, AVIF or GIF image, or an MP4, WebM, QuickTime or Ogg video.',
  ),
  'too-many-media': entry(409, 'The product has as many media as it may', 'Take some off it first.'),
  'unsupported-media-type': entry(
    415,
    'Not a content type we read',
    'Send `Content-Type: application/json` without a content encoding.',
  ),
  'idempotency-key-reused': entry(
    422,
    'The idempotency key belongs to another request',
    'Use a new key for a new request; repeat a request unchanged.',
  ),
  'rate-limited': entry(429, 'Too many requests', 'Wait for the seconds in Retry-After.', 1),
  'headers-too-large': entry(431, 'The headers are too large', 'Send less than 16 KiB of headers.'),
  internal: entry(500, 'Our fault', 'Nothing is known to have changed. Tell us the requestId.'),
  unavailable: entry(503, 'Not at the moment', 'Nothing was done. Repeat after the seconds in Retry-After.', 1),
  'outcome-unknown': entry(
    503,
    'The outcome is unknown',
    'It may have been done. Repeat with the same Idempotency-Key to learn the outcome.',
    1,
  ),
  timeout: entry(503, 'It took too long', 'Repeat after the seconds in Retry-After.', 1),
  'request-timeout': entry(408, 'The request did not arrive in time', 'Send it again, faster.'),
  'not-ready': entry(503, 'Not ready', '`checks` says what is missing and what to do.', 1),
}
