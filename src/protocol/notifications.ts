/**
 * What the specification has, in any revision, and no call tells its client: its notifications apart from progress, log messages and the end of
 * an elicitation, and the requests of servers, which are not notifications.
 */
const OWN =
  /^(notifications\/(cancelled|initialized|progress|message|(roots|tools|prompts|resources|subscriptions|tasks|elicitation)(\/.*)?)|ping|elicitation\/create|sampling\/createMessage|roots\/list)$/;

/** True for a notification that is none of the specification's: its meaning, and so its name, is a matter of server and client (PROTOCOL A14). */
export const isForeignNotification = (method: string): boolean => !OWN.test(method);
