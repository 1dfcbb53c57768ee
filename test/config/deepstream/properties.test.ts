import assert from 'node:assert/strict'
import { test } from 'node:test'

import { readProperties } from '../../../src/config/index.ts'

const KEY_FILE = `[sensor0]
enable=1
type=Camera
id=HWY_20_AND_LOCUST
location=45.293701447;-75.8303914499;48.1557479338
description=Aniso Camera
coordinate=5.2;10.1;11.2

[sensor2]
enable=0
id=off

[place1]
enable=true
id=1
type=intersection/road
name=HWY_20
location=30.32;-40.55;100.0
place-sub-field1=C_127_158
place-sub-field2=Lane 1

[analytics3]
enable=1
id=XYZ_1
source=OpenALR
description=License Plate
`

const YAML = `sensor0:
  enable: 1
  type: Camera
  id: HWY_20_AND_LOCUST
  location: 45.293701447;-75.8303914499;48.1557479338
  description: "Aniso Camera"
  coordinate: 5.2;10.1;11.2
sensor2:
  enable: 0
  id: off
place1:
  enable: true
  id: 1
  type: intersection/road
  name: HWY_20
  location: 30.32;-40.55;100.0
  place-sub-field1: C_127_158
  place-sub-field2: Lane 1
analytics3:
  enable: 1
  id: XYZ_1
  source: OpenALR
  description: License Plate
`

const EXPECTED = {
  sensors: new Map([
    [
      0,
      {
        id: 'HWY_20_AND_LOCUST',
        type: 'Camera',
        description: 'Aniso Camera',
        location: { lat: 45.293701447, lon: -75.8303914499, alt: 48.1557479338 },
        coordinate: { x: 5.2, y: 10.1, z: 11.2 },
      },
    ],
  ]),
  places: new Map([
    [
      1,
      {
        id: '1',
        type: 'intersection/road',
        name: 'HWY_20',
        subFields: ['C_127_158', 'Lane 1', ''],
        location: { lat: 30.32, lon: -40.55, alt: 100 },
        coordinate: { x: 0, y: 0, z: 0 },
      },
    ],
  ]),
  analytics: new Map([[3, { id: 'XYZ_1', source: 'OpenALR', description: 'License Plate', version: '' }]]),
}

for (const [name, text] of [
  ['p.txt', KEY_FILE],
  ['p.yml', YAML],
  ['p.yaml', YAML],
] as const) {
  test(`B10: readProperties() reads ${name}`, () => {
    assert.deepEqual(readProperties(name, Buffer.from(text)), { properties: EXPECTED, problems: [] })
  })
}

test('B10: readProperties() reads a CSV file, which numbers its rows', () => {
  const text = 'cameraId,id,description,x,a,b,c\n0, CAM1 ,First camera,x,lane,2,P1\n1,CAM2,,,,,\n'
  const { properties, problems } = readProperties('p.csv', Buffer.from(text))
  assert.deepEqual(problems, [])
  const where = { location: { lat: 0, lon: 0, alt: 0 }, coordinate: { x: 0, y: 0, z: 0 } }
  assert.deepEqual(properties.sensors.get(0), {
    id: 'CAM1',
    type: 'Camera',
    description: 'First camera',
    ...where,
  })
  assert.deepEqual(properties.places.get(0), {
    id: 'Id',
    type: 'building/garage',
    name: 'endeavor',
    subFields: ['lane', '2', 'P1'],
    ...where,
  })
  assert.deepEqual(properties.analytics.get(1), { id: '', source: '', description: '', version: '1.0' })
  assert.deepEqual([...properties.sensors.keys()], [0, 1])
})

const PROBLEMS: readonly (readonly [what: string, name: string, text: string, problem: string])[] = [
  ['a short row', 'p.csv', 'head\n1,2,3\n', '2:1 error: the row has 3 columns, give it 7'],
  [
    'a group without a number',
    'p.txt',
    '[sensor]\nenable=1\n',
    '1:1 error: the group [sensor] has no number, write for example [sensor0]',
  ],
  [
    'two numbers in place of three',
    'p.txt',
    '[sensor0]\nenable=1\nlocation=1;2\n',
    '3:10 error: "location" of [sensor0] has 2 numbers, write lat;lon;alt',
  ],
  [
    'no numbers',
    'p.txt',
    '[place0]\nenable=1\ncoordinate=a;b;c\n',
    '3:12 error: "coordinate" of [place0] must be numbers, separated by ;',
  ],
  [
    'a number that is given twice',
    'p.txt',
    '[sensor1]\nenable=1\n[sensor01]\nenable=1\n',
    '3:1 error: the number of [sensor01] is given twice, choose another',
  ],
  [
    'an unknown key',
    'p.txt',
    '[sensor0]\nenable=1\nlocatoin=1;2;3\n',
    '3:1 warning: "locatoin" is unknown in [sensor0] and has no effect, did you mean "location"?',
  ],
  [
    'an unknown group',
    'p.yml',
    'camera0:\n  enable: 1\n',
    '1:1 warning: the group [camera0] is unknown and has no effect',
  ],
  [
    'yes for a truth',
    'p.txt',
    '[sensor0]\nenable=yes\n',
    '2:8 error: "enable" of [sensor0] must be 1, 0, true or false',
  ],
  [
    'a line that is none',
    'p.txt',
    '[sensor0]\n; off\n',
    '2:1 error: the line is no group, no key=value and no comment, begin a comment with #',
  ],
]

for (const [what, name, text, expected] of PROBLEMS) {
  test(`B10: readProperties() tells of ${what}`, () => {
    const { problems } = readProperties(name, Buffer.from(text))
    assert.deepEqual(
      problems.map(({ line, column, severity, message }) => `${line}:${column} ${severity}: ${message}`),
      [expected],
    )
  })
}

test('B10: readProperties() leaves out a group without enable', () => {
  const { properties, problems } = readProperties('p.txt', Buffer.from('[sensor0]\nid=x\nlocation=1\n'))
  assert.deepEqual([properties.sensors.size, problems], [0, []])
})
