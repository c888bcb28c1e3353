/** The code of what rules about content refuse. */
export const L7_DENIED = 'policy-l7-denied';
