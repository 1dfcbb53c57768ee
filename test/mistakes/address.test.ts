import type { Mistake } from './config-mistakes.ts'
import { testMistakes } from './config-mistakes.ts'

// Mistakes that people make in addresses and in what belongs to a connection.
const TLS_BLOCK =
  '    tls:\n      ca: certs/ca.pem\n      cert: certs/device.pem\n      key: certs/device.key\n'
const AUTH_BLOCK = '    auth:\n      user: gate-7\n      password: hunter2\n'

const MISTAKES: readonly Mistake[] = [
  {
    what: 'a mistyped security option',
    edit: [['      ca: certs', '      caa: certs']],
    at: [8, 7],
    code: 'INVALID_CONFIG',
    fix: '"connections.cloud.tls.caa" is unknown, did you mean "ca"?',
    suggestion: 'ca',
  },
  {
    what: 'an option in the wrong block',
    edit: [['    options:', '    minVersion: TLSv1.3\n    options:']],
    at: [11, 5],
    code: 'INVALID_CONFIG',
    fix: 'known are url, adaptor, tls, auth, options',
  },
  {
    what: 'no address',
    edit: [['    url: mqtts://broker.example:8883\n', '']],
    at: [5, 3],
    code: 'INVALID_CONFIG',
    fix: '"connections.cloud.url" is missing',
  },
  {
    what: 'a number for a text',
    edit: [['key: certs/device.key', 'key: 7']],
    at: [10, 12],
    code: 'INVALID_CONFIG',
    fix: '"connections.cloud.tls.key" must be a string',
  },
  {
    what: 'a TLS version that is too old',
    edit: [['      ca: certs', '      minVersion: TLSv1.1\n      ca: certs']],
    at: [8, 19],
    code: 'INVALID_CONFIG',
    fix: 'must be one of "TLSv1.2"|"TLSv1.3"',
    suggestion: 'TLSv1.2',
  },
  {
    what: 'a word for a flag',
    edit: [['      ca: certs', '      insecureSkipVerify: yes\n      ca: certs']],
    at: [8, 27],
    code: 'INVALID_CONFIG',
    fix: 'must be one of "true"|"false"',
  },
  {
    what: 'a certificate file that is not there',
    edit: [['certs/device.pem', 'certs/devise.pem']],
    at: [9, 13],
    code: 'FILE_UNREADABLE',
    fix: 'mend the path, which is relative to the configuration file',
  },
  {
    what: 'a folder for a key file',
    edit: [['certs/device.key', 'certs']],
    at: [10, 12],
    code: 'FILE_UNREADABLE',
    fix: 'name a file in',
  },
  {
    what: 'an unknown scheme',
    edit: [['mqtts://', 'mqttss://']],
    at: [6, 10],
    code: 'INVALID_ADDRESS',
    fix: 'did you mean "mqtts"?',
  },
  {
    what: 'no scheme',
    edit: [['mqtts://broker', 'broker']],
    at: [6, 10],
    code: 'INVALID_ADDRESS',
    fix: 'it has no scheme, write for example mqtts://broker.example:8883',
  },
  {
    what: 'a port beyond 65535',
    edit: [[':8883', ':88830']],
    at: [6, 10],
    code: 'INVALID_ADDRESS',
    fix: 'a port is from 1 to 65535',
  },
  {
    what: 'a path where there can be none',
    edit: [[':8883', ':8883/mqtt']],
    at: [6, 10],
    code: 'INVALID_ADDRESS',
    fix: 'leave out "/mqtt"',
  },
  {
    what: 'a mistyped option in an address',
    edit: [[':8883', ':8883?quos=1']],
    at: [6, 10],
    code: 'INVALID_OPTIONS',
    fix: 'that is unknown, did you mean "qos"?',
    suggestion: 'qos',
  },
  {
    what: 'a mistyped option of the protocol',
    edit: [['      qos: 1', '      qso: 1']],
    at: [12, 7],
    code: 'INVALID_OPTIONS',
    fix: '"connections.cloud.options.qso" is unknown, did you mean "qos"?',
    suggestion: 'qos',
  },
  {
    what: 'a quality of service that there is not',
    edit: [['qos: 1', 'qos: 3']],
    at: [12, 12],
    code: 'INVALID_OPTIONS',
    fix: '"connections.cloud.options.qos" must be <=2',
  },
  {
    what: 'a length of time without a known unit',
    edit: [['5s', '5 sec']],
    at: [13, 25],
    code: 'INVALID_OPTIONS',
    fix: 'must be a length of time such as 500ms, 5s or 2m',
  },
  {
    what: 'a session without a client id',
    edit: [['qos: 1', 'sessionExpirySeconds: 60']],
    at: [11, 5],
    code: 'INVALID_OPTIONS',
    fix: 'give a "clientId" that stays the same',
  },
  {
    what: 'TLS settings with a plaintext address',
    edit: [['mqtts://', 'mqtt://']],
    at: [7, 5],
    code: 'INVALID_OPTIONS',
    fix: 'write mqtts://',
  },
  {
    what: 'a password in plaintext to another machine',
    edit: [
      ['mqtts://broker.example:8883', 'mqtt://broker.example'],
      [TLS_BLOCK, AUTH_BLOCK],
    ],
    at: [7, 5],
    code: 'PLAINTEXT_CREDENTIALS',
    fix: 'use mqtts://, or say allowPlaintextCredentials: true',
  },
  {
    what: 'a user in the address and in the block',
    edit: [
      ['broker.example', 'someone@broker.example'],
      ['    options:', `${AUTH_BLOCK}    options:`],
    ],
    at: [11, 5],
    code: 'INVALID_OPTIONS',
    fix: 'keep one of them',
  },
  {
    what: 'a password in an address',
    edit: [['broker.example', 'gate-7:hunter2@broker.example']],
    at: [6, 10],
    code: 'INVALID_CONFIG',
    fix: 'move it to auth.passwordFile or write ${env:NAME} in its place',
    severity: 'warning',
  },
]

testMistakes(MISTAKES)
