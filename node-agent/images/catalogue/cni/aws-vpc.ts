/** The Amazon VPC CNI: `aws-vpc-cni` starts ipamd and copies the configuration that its image holds. */
import { type Image, lazyProgram } from '../../image.ts';
import { busyboxImage } from '../busybox.ts';

const CONFIGURATION = {
  cniVersion: '0.4.0',
  name: 'aws-cni',
  disableCheck: true,
  plugins: [
    { name: 'aws-cni', type: 'aws-cni', vethPrefix: 'eni', mtu: '9001', pluginLogLevel: 'DEBUG' },
    { type: 'portmap', capabilities: { portMappings: true } },
  ],
};

export const awsVpcImage: Image = {
  repositories: ['amazon-k8s-cni', 'amazon-k8s-cni-init'],
  entrypoint: ['/app/aws-vpc-cni'],
  defaultCommand: [],
  files: { '/app/10-aws.conflist': `${JSON.stringify(CONFIGURATION, null, 2)}\n` },
  programs: {
    ...busyboxImage.programs,
    '/app/aws-vpc-cni': lazyProgram(async () => (await import('./aws-vpc-daemon.ts')).awsVpcCni),
    // Copies the binaries of the plugins, which nodes have here.
    '/app/aws-vpc-cni-init': async () => 0,
  },
};
