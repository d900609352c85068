using System.CommandLine;
using Microsoft.Extensions.DependencyInjection;
using Penstock.Budgets;

namespace Penstock.Cli;

/// <summary><c>penstock ledger verify</c>: proves that balances, holds and rollups are the sum of the ledger's entries.</summary>
internal static class LedgerCommand
{
    public static Command Create()
    {
        var verify = new Command("verify", "Check that every balance, hold and rollup is the sum of the ledger's entries. Exit code 1 where one is not.");
        verify.SetAction((_, ct) => Local.WithStoreAsync(services => VerifyAsync(services.GetRequiredService<IBudgetStore>(), ct)));
        return new Command("ledger", "The books.") { verify };
    }

    private static async Task<int> VerifyAsync(IBudgetStore store, CancellationToken ct)
    {
        var differences = await store.VerifyAsync(ct);
        foreach (var difference in differences) Console.Error.WriteLine(difference);
        Console.WriteLine(differences.Count == 0 ? "The books are right: every balance, hold and rollup is the sum of its entries." : $"{differences.Count} sums differ from their entries.");
        return differences.Count == 0 ? 0 : 1;
    }
}
