using System.CommandLine;
using Microsoft.Extensions.DependencyInjection;
using Penstock.Budgets;

namespace Penstock.Cli;

/// <summary><c>penstock ledger verify</c>: proves that every balance is the sum of its entries.</summary>
internal static class LedgerCommand
{
    public static Command Create()
    {
        var verify = new Command("verify", "Check that every budget's balance is the sum of its entries. Exit code 1 where one is not.");
        verify.SetAction((_, ct) => Local.WithStoreAsync((services, _) => VerifyAsync(services.GetRequiredService<IBudgetStore>(), ct)));
        return new Command("ledger", "The books.") { verify };
    }

    private static async Task<int> VerifyAsync(IBudgetStore store, CancellationToken ct)
    {
        var differences = await store.VerifyAsync(ct);
        foreach (var difference in differences) Console.Error.WriteLine(difference);
        Console.WriteLine(differences.Count == 0 ? "The books are right: every balance is the sum of its entries." : $"{differences.Count} balances differ from their entries.");
        return differences.Count == 0 ? 0 : 1;
    }
}
