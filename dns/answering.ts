/** Answers that are there at once, as most are, and those that come later: waiting for what is there costs more than making it. */
import type { Reply } from './message.ts';

export type Answering = Reply | Promise<Reply>;

/** What `use` makes of the reply, as soon as there is one. */
export function whenAnswered<Result>(
  answering: Answering,
  use: (reply: Reply) => Result | Promise<Result>,
): Result | Promise<Result> {
  return answering instanceof Promise ? answering.then(use) : use(answering);
}

/** A failure as a rejection, whether it comes at once or later. */
export function promised(answer: () => Answering): Promise<Reply> {
  try {
    return Promise.resolve(answer());
  } catch (error) {
    return Promise.reject(error);
  }
}
