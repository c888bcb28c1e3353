/** The files of a folder whenever something in it changed: names that come and go, and what is written into them. */
import { type DirectoryNode, FileNode } from './file-node.ts';

export interface WatchedFile {
  readonly name: string;
  readonly text: string;
}

/** What changes in one turn of the event loop is told once, after it. Goes on as long as the folder lives. */
export function watchedFiles(folder: DirectoryNode, changed: (files: readonly WatchedFile[]) => void): void {
  const followed = new WeakSet<FileNode>();
  let isDue = false;
  const filesOf = (): { readonly name: string; readonly file: FileNode }[] =>
    [...folder.entries].flatMap(([name, file]) => (file instanceof FileNode ? [{ name, file }] : []));
  const follow = (): void => {
    for (const { file } of filesOf()) {
      if (followed.has(file)) continue;
      followed.add(file);
      file.watch(soon);
    }
  };
  const tell = (): void => {
    isDue = false;
    changed(filesOf().map(({ name, file }) => ({ name, text: new TextDecoder().decode(file.bytes) })));
  };
  const soon = (): void => {
    follow();
    if (isDue) return;
    isDue = true;
    setImmediate(tell);
  };
  folder.watch(soon);
  soon();
}
