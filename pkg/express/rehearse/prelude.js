// What an Action finds around itself: Auth0's api object, CommonJS, the console and
// timers. Methods are those that Auth0 documents for post-login:
// https://auth0.com/docs/customize/actions/explore-triggers/signup-and-login-triggers/login-trigger/post-login-api-object
// What an Action asks for is put on record in ops; nothing leaves the rehearsal.
(function (note, timer) {
  'use strict';
  const ops = [];
  const api = {};
  const chained = {
    access: ['deny'],
    accessToken: ['setCustomClaim', 'addScope', 'removeScope'],
    authentication: ['challengeWith', 'challengeWithAny', 'enrollWith', 'enrollWithAny', 'recordMethod', 'setPrimaryUser'],
    idToken: ['setCustomClaim'],
    multifactor: ['enable'],
    prompt: ['render'],
    redirect: ['sendUserTo'],
    refreshToken: ['revoke', 'setExpiresAt', 'setIdleExpiresAt', 'evictMetadata', 'setMetadata', 'deleteMetadata'],
    samlResponse: ['setAttribute', 'setAudience', 'setRecipient', 'setCreateUpnClaim', 'setPassthroughClaimsWithNoMapping',
      'setMapUnknownClaimsAsIs', 'setMapIdentities', 'setSignatureAlgorithm', 'setDigestAlgorithm', 'setDestination',
      'setLifetimeInSeconds', 'setSignResponse', 'setNameIdentifierFormat', 'setNameIdentifierProbes', 'setAuthnContextClassRef',
      'setSigningCert', 'setIncludeAttributeNameFormat', 'setTypedAttributes', 'setEncryptionCert', 'setEncryptionPublicKey',
      'setCert', 'setKey', 'setRelayState', 'setIssuer', 'setEncryptionAlgorithm'],
    session: ['revoke', 'setExpiresAt', 'setIdleExpiresAt', 'setCookieMode', 'setMetadata', 'deleteMetadata', 'evictMetadata'],
    transaction: ['setMetadata', 'setResultUrl'],
    user: ['setAppMetadata', 'setUserMetadata'],
    validation: ['error'],
  };
  for (const [part, methods] of Object.entries(chained)) {
    api[part] = {};
    for (const method of methods) {
      api[part][method] = (...args) => {
        while (args.length > 0 && args[args.length - 1] === undefined) args.pop();
        ops.push([part + '.' + method, ...args]);
        return api;
      };
    }
  }
  const cache = new Map();
  api.cache = {
    get: (key) => cache.has(key) ? { value: cache.get(key) } : undefined,
    set: (key, value) => { cache.set(key, value); return { type: 'success' }; },
    delete: (key) => { cache.delete(key); return { type: 'success' }; },
  };
  api.rules = { wasExecuted: () => false };
  api.redirect.encodeToken = () => 'rehearsal-token';
  api.redirect.validateToken = () => ({});

  // What the rehearsal does not have can be named, passed on and taken apart, but not
  // called: an Action that gets as far as calling it is not rehearsed beyond.
  class NotRehearsed extends Error {
    constructor(what) { super('the rehearsal has no ' + what); this.name = 'NotRehearsed'; }
  }
  const lacking = (what) => new Proxy(function () {}, {
    get: (_, key) => (typeof key === 'symbol' || key === 'then' || key === 'prototype') ? undefined : lacking(what + '.' + key),
    apply: () => { note('missing', what); throw new NotRehearsed(what); },
    construct: () => { note('missing', what); throw new NotRehearsed(what); },
  });
  const require = (name) => lacking("module '" + name + "'");
  const said = (...args) => note('log', args.map((a) => typeof a === 'string' ? a : JSON.stringify(a)).join(' '));
  const globals = {
    console: { log: said, info: said, warn: said, error: said, debug: said, trace: said },
    process: { env: {}, version: 'v22.0.0', nextTick: (f, ...args) => timer(() => f(...args), 0) },
    setTimeout: (f, ms, ...args) => timer(() => f(...args), Number(ms) || 0),
    setImmediate: (f, ...args) => timer(() => f(...args), 0),
    setInterval: () => { note('missing', 'setInterval'); throw new NotRehearsed('setInterval'); },
    clearTimeout: (id) => timer(null, id),
    clearInterval: () => {},
    clearImmediate: (id) => timer(null, id),
    queueMicrotask: (f) => { Promise.resolve().then(f); },
    structuredClone: (v) => JSON.parse(JSON.stringify(v)),
  };
  for (const [name, value] of Object.entries(globals)) globalThis[name] = value;
  for (const name of ['fetch', 'Buffer', 'URL', 'URLSearchParams', 'crypto', 'TextEncoder', 'TextDecoder', 'AbortController',
    'AbortSignal', 'Headers', 'Request', 'Response', 'FormData', 'Blob', 'performance', 'Intl', 'btoa', 'atob', 'WebAssembly']) {
    if (!(name in globalThis)) globalThis[name] = lacking(name);
  }
  globalThis.global = globalThis;
  return { api, ops, require };
})
