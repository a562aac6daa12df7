/**
 * The self-test of a signature backend, run when a process starts. Where libraries disagree about a signature
 * chains fork, so a node does not run on a backend that gives one wrong verdict on this table. It holds RFC
 * 8032's own vectors and one of each shape that some library is known to judge otherwise; the equation holds
 * in every small-order and non-canonical row, so only the rule refuses it.
 */
import { fromHex } from '../../codec/bytes.ts';
import { ProtocolError } from '../../codec/errors.ts';
import type { SignatureVerifier } from '../../crypto/interfaces.ts';

type Row = readonly [name: string, publicKey: string, message: string, signature: string, valid: boolean];

export const SELF_TEST_ROWS: readonly Row[] = [
  [
    'RFC 8032 §7.1, test 1',
    'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
    '',
    'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
    true,
  ],
  [
    'RFC 8032 §7.1, test 3',
    'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
    'af82',
    '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a',
    true,
  ],
  [
    'RFC 8032 §7.1, test 3, another message',
    'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
    'af83',
    '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a',
    false,
  ],
  [
    'mixed-order A, cofactorless equation holds',
    '265aa51f0a77fdd7e358b3c9c4ac384e95cd6180ba142eac887ae6a8a644925d',
    '746f7273696f6e0000000000000348',
    'd2c58b94f4d28cb16e290d6ac39e769c12493fefb87c85e81bc830f82d7f7f5d5f34b1b04ffe87cc95021978dfcbbb66b3e7f397c3f1a03d0ed807b13adf4b0d',
    true,
  ],
  [
    'mixed-order A and R, cofactorless equation holds',
    '96a5dee09fdabdcdb84b96eb4526fc31fc877f47ed5c3cd80d749bad3a1b7a24',
    '746f7273696f6e00000000000003b3',
    '58590161eac834038b87bee689f536a6587b0020a5f2a7d0c668b7cc132d732418aa453d891e9bf3bcfcbb422d6d6aa225252a22f1f4ef0f5ab903db93079f0e',
    true,
  ],
  [
    'mixed-order A, only the cofactored equation holds',
    '265aa51f0a77fdd7e358b3c9c4ac384e95cd6180ba142eac887ae6a8a644925d',
    '746f7273696f6e0000000000000338',
    'a147bc763feae3f3cea8bcb57608b5068e57c6651f4058699c12dbe47e526aac4513e4022bf47982abadc141479578f35d75db495a952de22a3f98e4eebc040b',
    false,
  ],
  [
    'mixed-order R, only the cofactored equation holds',
    '1df504fdb5b4b1eade34336d07513c1fc123ce83eda7394d4fb30c41426424cc',
    '746f7273696f6e0000000000000303',
    '7cf5d7cbbc405f5584bbf24b7ec507ef78979083249f58c54998928e59cf1a216c6a82b00a351117e2dc05307fb86ce5d6ee7f2f22c39aff4f1c12e94414f50a',
    false,
  ],
  [
    'A is the identity',
    '0100000000000000000000000000000000000000000000000000000000000000',
    '746f7273696f6e000000000000000e',
    'a147bc763feae3f3cea8bcb57608b5068e57c6651f4058699c12dbe47e526aac1999010000000000000000000000000000000000000000000000000000000000',
    false,
  ],
  [
    'A is the identity with its sign bit set',
    '0100000000000000000000000000000000000000000000000000000000000080',
    '746f7273696f6e0000000000000044',
    'a147bc763feae3f3cea8bcb57608b5068e57c6651f4058699c12dbe47e526aac1999010000000000000000000000000000000000000000000000000000000000',
    false,
  ],
  [
    'A is the identity, y not reduced',
    'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    '746f7273696f6e000000000000007a',
    'a147bc763feae3f3cea8bcb57608b5068e57c6651f4058699c12dbe47e526aac1999010000000000000000000000000000000000000000000000000000000000',
    false,
  ],
  [
    'A has order 2',
    'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    '746f7273696f6e00000000000001be',
    'a147bc763feae3f3cea8bcb57608b5068e57c6651f4058699c12dbe47e526aac1999010000000000000000000000000000000000000000000000000000000000',
    false,
  ],
  [
    'A has order 4',
    '0000000000000000000000000000000000000000000000000000000000000080',
    '746f7273696f6e0000000000000120',
    '4cb84389c0151c0c3157434a89f74af971a8399ae0bfa79663ed241b81ad95531999010000000000000000000000000000000000000000000000000000000000',
    false,
  ],
  [
    'A has order 8',
    '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
    '746f7273696f6e0000000000000195',
    '392cf8e47a85aab05ec62b549c49b1bbbab3cb7b62be0079255d8997191154d53232030000000000000000000000000000000000000000000000000000000000',
    false,
  ],
  [
    'R is the identity',
    '1df504fdb5b4b1eade34336d07513c1fc123ce83eda7394d4fb30c41426424cc',
    '746f7273696f6e00000000000002f4',
    '01000000000000000000000000000000000000000000000000000000000000008dc3c4fd43470b6b7a90d33531c6e0e6c45fbbd916e90e8d3665ced46d83b509',
    false,
  ],
  [
    'R is the identity, y not reduced',
    '1df504fdb5b4b1eade34336d07513c1fc123ce83eda7394d4fb30c41426424cc',
    '746f7273696f6e00000000000002f6',
    'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7fbd9e0c7807d4ac08fa71e421acf94871300425a782320b5610e405ddbb32ef0d',
    false,
  ],
  [
    'R has order 4, y not reduced',
    'f30550c734a667f7f6b895bb672134759931eac39a7ccaedb2d725ff890807b9',
    '746f7273696f6e000000000000036c',
    'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f98e8eaea9a0a8a7835c6db4340d239b8a01be57d1485a941f1faf78308b25209',
    false,
  ],
  [
    'R has order 8',
    '265aa51f0a77fdd7e358b3c9c4ac384e95cd6180ba142eac887ae6a8a644925d',
    '746f7273696f6e0000000000000337',
    'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03facf5f317e6ce4f6758225fdccebcdd2c9a74919d436b3e01d5ba5c9feeda4d80f',
    false,
  ],
  [
    'S is not reduced',
    '2ae6194a9431cc5519d99e666046e2301bc2fab74ae334569bf429a8018091c2',
    '686f6e6573740000000000000000',
    '1eb0e3db58e142cf4add0062479aa32f643e9952938eccfb0f95a841c15391299e97f28f9139ccb45994112964201bdeaf0335fd6879d3335c87debf56f5aa14',
    false,
  ],
  [
    'A is no point',
    '0200000000000000000000000000000000000000000000000000000000000000',
    '686f6e6573740000000000000000',
    '1eb0e3db58e142cf4add0062479aa32f643e9952938eccfb0f95a841c1539129b1c3fc3277d6b95c83f7198685263cc9af0335fd6879d3335c87debf56f5aa04',
    false,
  ],
  [
    'R is no point',
    '2ae6194a9431cc5519d99e666046e2301bc2fab74ae334569bf429a8018091c2',
    '686f6e6573740000000000000000',
    '0200000000000000000000000000000000000000000000000000000000000000b1c3fc3277d6b95c83f7198685263cc9af0335fd6879d3335c87debf56f5aa04',
    false,
  ],
  [
    'signature of 63 bytes',
    '2ae6194a9431cc5519d99e666046e2301bc2fab74ae334569bf429a8018091c2',
    '686f6e6573740000000000000000',
    '1eb0e3db58e142cf4add0062479aa32f643e9952938eccfb0f95a841c1539129b1c3fc3277d6b95c83f7198685263cc9af0335fd6879d3335c87debf56f5aa',
    false,
  ],
  [
    'signature of 65 bytes',
    '2ae6194a9431cc5519d99e666046e2301bc2fab74ae334569bf429a8018091c2',
    '686f6e6573740000000000000000',
    '1eb0e3db58e142cf4add0062479aa32f643e9952938eccfb0f95a841c1539129b1c3fc3277d6b95c83f7198685263cc9af0335fd6879d3335c87debf56f5aa0400',
    false,
  ],
  [
    'key of 31 bytes',
    '2ae6194a9431cc5519d99e666046e2301bc2fab74ae334569bf429a8018091',
    '686f6e6573740000000000000000',
    '1eb0e3db58e142cf4add0062479aa32f643e9952938eccfb0f95a841c1539129b1c3fc3277d6b95c83f7198685263cc9af0335fd6879d3335c87debf56f5aa04',
    false,
  ],
  [
    'key of 33 bytes',
    '2ae6194a9431cc5519d99e666046e2301bc2fab74ae334569bf429a8018091c200',
    '686f6e6573740000000000000000',
    '1eb0e3db58e142cf4add0062479aa32f643e9952938eccfb0f95a841c1539129b1c3fc3277d6b95c83f7198685263cc9af0335fd6879d3335c87debf56f5aa04',
    false,
  ],
];

/** Throws `SIGNATURE_BACKEND_DISAGREES`, naming the first row that `verifier` judges wrongly. */
export function selfTest(verifier: SignatureVerifier): void {
  for (const [name, publicKey, message, signature, valid] of SELF_TEST_ROWS) {
    const verdict = verifier.verify(fromHex(signature), fromHex(message), fromHex(publicKey));
    if (verdict !== valid) {
      throw new ProtocolError(
        'SIGNATURE_BACKEND_DISAGREES',
        `signature backend ${verifier.name} ${verdict ? 'accepts' : 'refuses'} what the strict rule ${
          valid ? 'accepts' : 'refuses'
        } (${name}): running on it could fork the chain`,
      );
    }
  }
}
