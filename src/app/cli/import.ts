/** `lockstep import` and `lockstep import-orders`: files in, a report with line numbers out. */
import { Command, Option } from 'commander'
import type { CatalogueOptions } from '../import/catalogue.ts'
import type { OrdersOptions } from '../import/orders.ts'
import type { Report } from '../import/report.ts'
import { exits } from './failure.ts'
import { mustBeFile } from './given-file.ts'
import { examples } from './help.ts'
import { printOne } from './output.ts'
import { progressView } from './progress.ts'
import { inSystem, type Session, tellIfUnserved, whole } from './session.ts'

export function importCommand(): Command {
  const command = common(new Command('import'))
    .description(
      'take a catalogue (Shopify CSV, JSON, NDJSON, any table with --map) or stock; the same file again changes nothing',
    )
    .addOption(new Option('--format <format>', 'instead of by the file’s content').choices(['csv', 'json', 'ndjson']))
    .addOption(
      new Option('--stock <how>', 'initial: only what never moved; set: as the file says; ignore')
        .choices(['initial', 'set', 'ignore'])
        .default('initial')
        .env('LOCKSTEP_IMPORT_STOCK'),
    )
    .addOption(new Option('--decimal-mark <mark>', 'where prices such as 1,299 have two readings').choices(['.', ',']))
    .action(async (file: string) => {
      await mustBeThere(command, file)
      await inSystem(command, (session) =>
        take(command, session, async (shop, watch) => {
          const { importCatalogue } = await import('../import/catalogue.ts')
          return importCatalogue({ ...command.opts<Omit<CatalogueOptions, 'file'>>(), file, ...watch }, shop)
        }),
      )
    })
  return examples(
    command,
    'lockstep import products_export.csv',
    'lockstep import products.json --dry-run',
    'lockstep import stock.csv --stock set',
    'lockstep import list.csv --map title=Name,sku=Code,price=Price,stock=Qty',
  )
}

export function importOrdersCommand(): Command {
  const command = common(new Command('import-orders'))
    .description('replay order lines (order id, SKU, quantity, time) as orders, cancellations as returns; each once')
    .addOption(
      new Option('--initial-stock <n>', 'what products made by --create-missing have on hand').argParser(
        whole('--initial-stock', 0, 1e9),
      ),
    )
    .option('--retry-rejected', 'try again what was rejected when the file first came')
    .action(async (file: string) => {
      await mustBeThere(command, file)
      await inSystem(command, (session) =>
        take(command, session, async (shop, watch) => {
          const { importOrders } = await import('../import/orders.ts')
          return importOrders({ ...command.opts<Omit<OrdersOptions, 'file'>>(), file, ...watch }, shop)
        }),
      )
    })
  return examples(
    command,
    'lockstep import-orders orders.csv',
    'lockstep import-orders retail.csv --create-missing --initial-stock 5000',
    'lockstep import-orders lines.csv --map order=No,sku=Code,quantity=Qty,time=Date',
  )
}

const common = (command: Command) =>
  command
    .argument('<file>', 'path of the file')
    .option('-m, --map <map>', 'which column is which: title=Name,sku=Code,…, or @map.json')
    .option('--create-missing', 'make products of SKUs that there is none of')
    .addOption(new Option('--currency <code>', 'of prices that name none').env('LOCKSTEP_CURRENCY').default('EUR'))
    .option('--report <path>', 'write an entry for every record to this file (NDJSON)')
    .option('-v, --verbose', 'tell each refused or repaired record, not only each reason')
    .option('--dry-run', 'read, check and compare everything; change nothing')

/** Looked for before anything is started: the file, and the map if that is one. */
async function mustBeThere(command: Command, file: string): Promise<void> {
  await mustBeFile(file)
  const { map } = command.opts<{ map?: string }>()
  if (map?.startsWith('@')) await mustBeFile(map.slice(1))
}

type Watch = Required<Pick<CatalogueOptions, 'onProgress' | 'signal'>>
type ShopOf = Parameters<typeof import('../import/orders.ts').importOrders>[1]

async function take(
  command: Command,
  session: Session,
  work: (shop: ShopOf, watch: Watch) => Promise<Report>,
): Promise<number> {
  const { system, db, format, signal } = session
  const { catalog, inventory, orders } = system.services
  const view = progressView()
  const report = await work({ catalog, inventory, orders, db }, { onProgress: view.show, signal }).finally(view.end)
  const { formatReport } = await import('../import/report.ts')
  printOne(format, report, () => formatReport(report, command.opts<{ verbose?: boolean }>()))
  if (!report.dryRun) await tellIfUnserved(system)
  return report.stopped || nothingTaken(report) ? exits.failed : exits.ok
}

/** Refused as a whole; some refusals are part of any real file. */
function nothingTaken({ counts }: Report): boolean {
  const outcomes = Object.entries(counts).filter(([, count]) => count > 0)
  return outcomes.length > 0 && outcomes.every(([name]) => /(refused|rejected|repaired)$/i.test(name))
}
