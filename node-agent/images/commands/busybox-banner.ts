/** The line with which every busybox applet begins its help. */

export const BUSYBOX_BANNER = 'BusyBox v1.35.0 (2022-08-01 15:14:44 UTC) multi-call binary.';
