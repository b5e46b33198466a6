/** For `drizzle-kit generate` alone; migrations are applied by handlers/shared/storage/migrate.ts. */
import { defineConfig } from "drizzle-kit";

export default defineConfig({
  dialect: "postgresql",
  schema: "./schema/tables.ts",
  out: "./schema/migrations",
});
