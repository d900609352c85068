using Penstock.Bench.Money;

// Figures of the embedded store: how many reserve+settle pairs it makes durable a second beside what the disk can sync, and how long usage queries
// take over many calls beside few, each held against a count by hand. Usage: bench/money.sh [pairs|queries] [calls]
var what = args.ElementAtOrDefault(0) ?? "all";
var many = int.Parse(args.ElementAtOrDefault(1) ?? "1000000", System.Globalization.CultureInfo.InvariantCulture);
var root = Directory.CreateTempSubdirectory("penstock-money-").FullName;
try
{
    if (what is "all" or "pairs") await Pairs.RunAsync(root);
    return what is "all" or "queries" ? await Queries.RunAsync(root, few: 10_000, many) : 0;
}
finally
{
    Directory.Delete(root, recursive: true);
}
