// Reads Parquet files with hyparquet and prints their rows, a line of JSON a file: node … FILE…, in the folder of the
// packages. Whole numbers of 64 bits are numbers, times are RFC 3339.
import { asyncBufferFromFile, parquetReadObjects } from "hyparquet";
import { compressors } from "hyparquet-compressors";

const plain = (_, value) => (typeof value === "bigint" ? Number(value) : value);
for (const path of process.argv.slice(2)) {
  const file = await asyncBufferFromFile(path);
  console.log(JSON.stringify(await parquetReadObjects({ file, compressors }), plain));
}
