/** A certificate of its own for tests of servers with TLS. */
import { generateKey, issueCertificate } from '../../../services/apiserver/pki/certificate.ts';
import { projectedVolume, type Volume } from '../files/volume.ts';

/** A volume with `tls.crt` and `tls.key` (PEM). */
export function certificateVolume(name: string): Volume {
  const { privateKey, publicKey } = generateKey();
  const subject = { commonName: name };
  const certificate = issueCertificate(
    { subject, publicKey, usage: 'server', names: [name], now: new Date(), validDays: 1 },
    { subject, privateKey },
  );
  return projectedVolume({
    'tls.crt': { bytes: Buffer.from(certificate) },
    'tls.key': { bytes: Buffer.from(privateKey.export({ type: 'pkcs8', format: 'pem' })) },
  });
}
