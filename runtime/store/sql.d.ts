/** SQL files are imported as text: `import insert from "./sql/insert.sql" with { type: "text" }`. */
declare module "*.sql" {
  const text: string;
  export default text;
}
