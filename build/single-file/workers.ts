/**
 * Workers inside of one executable: `workers <database> <other database>`. Four open the same database in the same
 * instant, later one more opens it, and one opens the other. Prints what each of them says.
 */
const [database = "", other = ""] = process.argv.slice(2);

function ask(path: string): Promise<string> {
  const worker = new Worker(new URL("./worker.ts", import.meta.url));
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }: MessageEvent<string>) => resolve(data);
    worker.onerror = ({ message }) => reject(new Error(message));
    worker.postMessage(path);
  });
}

const together = await Promise.all([database, database, database, database].map(ask));
const later = await ask(database);
const elsewhere = await ask(other);
console.log(JSON.stringify({ together: together.sort(), later, elsewhere }));
process.exit();
